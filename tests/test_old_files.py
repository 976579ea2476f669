"""Files that version 0.1.0 wrote, before it was changed: they load, or one line says what to do."""

import json, shutil, warnings
from pathlib import Path

import pytest
import torch

from kae_nb.autoencoder import AutoEncoder
from kae_nb.coding import reconstruct
from kae_nb.data import load_dataset
from kae_nb.store import Store, job_key, restore, unpack
from kae_nb.retrieval import Index
from kae_nb.runs import complete_run, kae_train, read_settings
from kae_nb.console import in_terminal
from kae_nb.training import fit

OLD = Path(__file__).with_name('files') / '0.1.0'
EXPECTED = json.loads((OLD / 'expected.json').read_text())


@pytest.mark.parametrize('layer', ['linear', 'kae', 'kan', 'fourierkan', 'wavkan'])
def test_models(layer):
    "The same parameters: the first test image comes out as it did."
    with pytest.warns(UserWarning, match='has no digest'):
        model = AutoEncoder.load(OLD / f'{layer}.safetensors')
    image = reconstruct(model, load_dataset('digits').x_test[:1]).flatten()
    assert torch.allclose(image, torch.tensor(EXPECTED[layer]), atol=1e-6)


def test_run(tmp_path, monkeypatch):
    "A run.json repeats the run, at the learning rate that it says."
    monkeypatch.chdir(tmp_path)
    with pytest.warns(UserWarning, match='has no digest'):
        settings = read_settings(OLD / 'run' / 'run.json')
    assert complete_run(settings)['layer'] == 'linear'
    status, output, errors = in_terminal(kae_train, '--config', OLD / 'run' / 'run.json')
    assert status == 0 and (tmp_path / 'kae_train' / 'model.safetensors').exists(), errors
    assert read_settings(tmp_path / 'kae_train' / 'run.json')['lr'] == settings['lr']


def test_checkpoint(tmp_path):
    "Training went on by other rates then, so the checkpoint is not gone on with, and a line says why."
    shutil.copytree(OLD / 'checkpoints', tmp_path / 'checkpoints')
    model = AutoEncoder(64, 2, layer='linear')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        with pytest.raises((ValueError, FileExistsError)) as caught:
            fit(
                model,
                load_dataset('digits').subset(300),
                3,
                seed=0,
                checkpoint=tmp_path / 'checkpoints',
                resume=True,
                progress=False,
            )
    assert 'checkpoint' in str(caught.value) and '\n' not in str(caught.value)


def test_results(tmp_path):
    "Finished jobs are found again, in a store and in a file."
    (key,) = map(job_key, EXPECTED['jobs'])
    assert Store(OLD / 'store').read().keys() == {key}
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of a file without a digest
        table = unpack(OLD / 'results.csv.gz')
    restore(table, Store(tmp_path / 'store'))
    assert not Store(tmp_path / 'store').missing(EXPECTED['jobs'])


def test_index():
    with pytest.warns(UserWarning, match='has no digest'):
        index = Index.load(OLD / 'exact.index')
    assert torch.equal(torch.as_tensor(index.codes), load_dataset('digits').x_test[:20, :4])
