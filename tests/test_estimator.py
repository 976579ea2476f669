"What a notebook cannot hold about the estimator: scikit-learn's checks, a light package, other processes."

import subprocess, sys

import numpy as np
import pytest

from processes import check_estimators


@pytest.mark.parametrize('estimator', ['KAE()', 'KAEDetector()'])
def test_scikit_learn_finds_nothing_and_skips_nothing(estimator):
    check_estimators(f'[{estimator}]')


@pytest.mark.slow
def test_scikit_learn_finds_nothing_with_options():
    check_estimators(
        """[
        KAE(missing='mask', max_iter=3),
        KAE(2, missing='indicator', model='autoencoder', scale=False, max_iter=3),
        KAE(model='residual', early_stopping=False, max_iter=3),
        KAE(model='manifold'),
        KAEDetector(missing='mask', max_iter=3),
        KAEDetector(extremes=False, contamination=0.1),
        ]"""
    )


LIGHT = """
import sys, kae_nb
assert not {'torch', 'sklearn', 'numpy'} & set(sys.modules)
assert 'KAE' in dir(kae_nb)
try:
    kae_nb.KEA
except AttributeError as error:
    assert 'KEA' in str(error)
else:
    raise AssertionError
from kae_nb import KAE
from kae_nb.estimator import KAE as same
assert KAE is same
"""


def test_importing_the_package_stays_light():
    done = subprocess.run([sys.executable, '-c', LIGHT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_same_numbers_in_another_process(tmp_path):
    "A file that one process wrote is another's estimator, to the last bit."
    from sklearn.datasets import load_wine

    from kae_nb import KAE

    x = load_wine().data
    kae = KAE(3, model='residual', max_iter=5).fit(x)
    kae.save(tmp_path / 'kae.safetensors')
    np.save(tmp_path / 'z.npy', kae.transform(x))
    program = (
        'import numpy as np; from kae_nb import KAE; from sklearn.datasets import load_wine; '
        "kae, z = KAE.load('kae.safetensors'), np.load('z.npy'); "
        'assert np.array_equal(kae.transform(load_wine().data), z)'
    )
    done = subprocess.run(
        [sys.executable, '-c', program], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    'container', ['array', 'frame', 'tensor', 'float32', 'list', 'whole numbers']
)
def test_containers(container):
    "Rows come in many forms; the numbers count."
    import pandas as pd, torch
    from sklearn.datasets import load_iris

    from kae_nb import KAE

    x = load_iris().data
    same = {
        'array': x,
        'frame': pd.DataFrame(x),
        'tensor': torch.from_numpy(x),
        'float32': x.astype(np.float32),
        'list': x.tolist(),
        'whole numbers': (10 * x).round().astype(int),
    }[container]
    z = KAE(2, model='manifold').fit(same).transform(same)
    expected = KAE(2, model='manifold').fit(x).transform(x)
    assert np.allclose(z, expected, atol=1e-3)


def test_tables_from_the_command_line(tmp_path, monkeypatch):
    "A table in a file is trained on, evaluated, and compared; what needs images is left out."
    from sklearn.datasets import load_wine

    from kae_nb.console import in_terminal
    from kae_nb.demo import kae_demo
    from kae_nb.evaluation import kae_evaluate
    from kae_nb.runs import kae_train

    monkeypatch.chdir(tmp_path)
    wine = load_wine(as_frame=True)
    wine.data.assign(kind=wine.target_names[wine.target]).to_csv('wine.csv', index=False)
    data = ['--dataset', 'table:wine.csv', '--data_options', 'labels=kind']
    for model in ('autoencoder', 'residual'):
        own = ['--model', model, '--latent_dim', '3', '--epochs', '20', '--batch_size', '32']
        status, output, errors = in_terminal(kae_train, *data, *own, '--out', model)
        assert status == 0 and 'the mean image' in output and 'no figure' not in errors, errors
        saved = f'{model}/model.safetensors'
        status, output, errors = in_terminal(kae_evaluate, saved, *data, '--out', f'{model}.html')
        assert status == 0 and 'rows of a table, and no images' in errors + output
        report = (tmp_path / f'{model}.html').read_text(encoding='utf-8')
        assert 'Errors by feature' in report and 'Reconstructions' not in report
    status, output, errors = in_terminal(kae_demo, *data, '--latent_dim', '3', '--epochs', '10')
    assert status == 0 and '13 features' in output and (tmp_path / 'kae_demo.png').is_file()
    status, output, errors = in_terminal(kae_train, *data[:2], '--out', 'no')
    assert status == 2 and "column 'kind' of x_train holds 'class_0'" in errors
    assert not (tmp_path / 'no').exists()
