"""A layer of one's own, in a file of one's own, wherever a layer of ours goes; and one of ours that no list names."""

import json

import pandas as pd
import pytest
import torch

from kae_nb.autoencoder import AutoEncoder
from kae_nb.data import load_dataset
from kae_nb.ensemble import fit_many
from kae_nb.store import unpack
from kae_nb.layers import find_layer, find_model
from kae_nb.training import fit
from processes import run

SOURCE = '''
import torch
from kae_nb.layer import BasisLayer, LayerRecord

class LegendreLayer(BasisLayer):
    "The first Legendre polynomials, on inputs cut to [-1, 1]."
    def __init__(self, in_features, out_features, degree=2, **options):
        self.degree = degree
        super().__init__(in_features, out_features, degree, **options)
    def basis(self, x):
        x = x.clamp(-1, 1)
        rows = [torch.ones_like(x), x]
        for k in range(1, self.degree): rows.append(((2*k + 1)*x*rows[-1] - k*rows[-2])/(k + 1))
        return torch.stack(rows[1:], -2)

class NoLayer: pass
'''


@pytest.fixture(params=['radial', 'multkan', 'own_layers:LegendreLayer'])
def layer(request, tmp_path, monkeypatch):
    "A name of a layer, in a folder where its module is."
    (tmp_path / 'own_layers.py').write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    return request.param


def test_training_and_measuring(layer, tmp_path):
    "kae_train, its run.json once more, kae_evaluate, kae_bench."
    small = ['--latent_dim', 4, '--epochs', 2]
    done = run('kae_train', '--layer', layer, *small, '--out', 'first', folder=tmp_path)
    assert done.returncode == 0, done.stderr
    done = run('kae_train', '--config', 'first/run.json', '--out', 'second', folder=tmp_path)
    assert done.returncode == 0, done.stderr
    histories = [
        pd.read_csv(tmp_path / name / 'history.csv').test_loss.tolist()
        for name in ('first', 'second')
    ]
    assert histories[0] == histories[1]
    done = run(
        'kae_evaluate',
        'first/model.safetensors',
        '--data_options',
        'subset=200',
        '--layer',
        layer,
        folder=tmp_path,
    )
    assert done.returncode == 0 and 'model' in done.stdout, done.stderr
    # measured in a process of its own, which has to find the module too
    memory = '8x16x4' if ':' in layer else 'none'
    done = run(
        'kae_bench',
        'layers',
        '--layers',
        f'{layer},kan',
        '--sizes',
        '8x16x4',
        '--memory_size',
        memory,
        '--seconds',
        0,
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / 'kae_bench.json').read_text())['rows']
    assert [row['layer'] for row in rows] == [layer, 'kan'] * (1 if memory == 'none' else 2)


def test_grid(layer, tmp_path):
    "kae_reproduce has it in its tables, after the paper's models."
    arguments = [
        '--datasets',
        'digits',
        '--latent_dims',
        4,
        '--seeds',
        1,
        '--epochs',
        1,
        '--lrs',
        '1e-3',
        '--weight_decays',
        '1e-4',
        '--no_figures',
    ]
    done = run('kae_reproduce', '--models', f'{layer},AE', *arguments, folder=tmp_path)
    label, _ = find_model(layer)
    assert done.returncode == 0 and label in done.stdout, done.stderr
    assert set(unpack(tmp_path / 'kae_reproduce' / 'results.csv.gz').model) == {label, 'AE', 'PCA'}
    assert label in (tmp_path / 'kae_reproduce' / 'report.html').read_text()


def test_python(layer, tmp_path):
    "fit_many trains as fit does; a model made from the name or from the class is saved and loaded."
    data = load_dataset('digits').subset(300)

    def make():
        return AutoEncoder(64, 4, layer=layer)

    (member,) = fit_many(make, data, seeds=[3], epochs=2, progress=False)
    torch.manual_seed(3)
    model = make()
    fit(model, data, 2, seed=3, progress=False)
    for a, b in zip(model.parameters(), member.model.parameters()):
        assert torch.allclose(a, b, atol=1e-5)
    for kind in (layer, find_layer(layer)):
        made = AutoEncoder(64, 4, layer=kind).eval()
        made.save(tmp_path / 'm.safetensors')
        twin = AutoEncoder.load(tmp_path / 'm.safetensors', layer=layer)
        assert torch.equal(twin(data.x_test), made(data.x_test))


def test_options_of_edges(tmp_path):
    "Options of a layer within a layer, from a command line."
    done = run(
        'kae_train',
        '--layer',
        'multkan',
        '--layer_options',
        'edges=kae,order=2,n_products=1',
        '--latent_dim',
        4,
        '--epochs',
        1,
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    model = AutoEncoder.load(tmp_path / 'kae_train' / 'model.safetensors')
    assert (model.encoder[0].edges.order, model.encoder[0].n_products) == (2, 1)
    for wrong, message in [
        ('edges=kam', "did you mean 'kan'?"),
        ('edges=kae,ordr=2', 'ordr'),
        ('n_products=9', 'n_products must be at most 4'),
        ('n_products=x', 'n_products must be'),
    ]:
        done = run(
            'kae_train',
            '--layer',
            'multkan',
            '--layer_options',
            wrong,
            '--latent_dim',
            4,
            '--out',
            'other',
            folder=tmp_path,
        )
        assert done.returncode == 2 and message in done.stderr and done.stderr.count('\n') == 1, (
            done.stderr
        )
    assert not (tmp_path / 'other').exists()


def test_a_file_chooses_no_code(tmp_path, monkeypatch):
    "A model with a layer of a module that nobody has imported is refused, and so is one that names another than its caller."
    (tmp_path / 'own_layers_2.py').write_text(SOURCE)
    (tmp_path / 'must_not_run.py').write_text('raise SystemExit("a file chose code to run")')
    monkeypatch.chdir(tmp_path)
    model = AutoEncoder(64, 4, layer='own_layers_2:LegendreLayer')
    model.save('m.safetensors')
    done = run('kae_evaluate', 'm.safetensors', folder=tmp_path)
    assert (
        done.returncode == 2
        and 'of a module that is not imported' in done.stderr
        and done.stderr.count('\n') == 1
    )
    done = run('kae_evaluate', 'm.safetensors', '--layer', 'kae', folder=tmp_path)
    assert done.returncode == 2 and "not 'kae'" in done.stderr and done.stderr.count('\n') == 1
    for wrong, message in [
        ('own_layers_2:NoLayer', 'is no class of layers'),
        ('own_layers_2:Legendre', "did you mean 'LegendreLayer'?"),
        ('no_module:X', 'cannot be imported'),
    ]:
        for command in (
            ['kae_train', '--layer', wrong],
            ['kae_bench', 'layers', '--layers', wrong],
            ['kae_reproduce', '--models', wrong],
        ):
            done = run(*command, folder=tmp_path)
            assert (
                done.returncode == 2 and message in done.stderr and done.stderr.count('\n') == 1
            ), done.stderr
    model.layer = 'must_not_run:X'
    model.save('m.safetensors')
    with pytest.raises(ValueError, match='not imported'):
        AutoEncoder.load('m.safetensors')
    model.layer = 'os:system'
    model.save('m.safetensors')
    with pytest.raises(ValueError, match='is no class of layers'):
        AutoEncoder.load('m.safetensors')
