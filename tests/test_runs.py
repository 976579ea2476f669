"`kae_train` and what happens to it: killed, interrupted, damaged, fed with nonsense."

import inspect, json, os, signal, subprocess, sys, time
from pathlib import Path

import numpy as np, pandas as pd
import pytest
import torch
from safetensors.torch import load_file

import processes
import kae_nb.runs as runs
from kae_nb.autoencoder import AutoEncoder
from kae_nb.console import in_terminal
from kae_nb.files import locked, read_json
from kae_nb.reconstruction import reconstruction_mse
from kae_nb.runs import kae_train, train_run

command = Path(sys.executable).with_name('kae_train')
settings = ['--latent_dim', '8', '--layer', 'kae', '--layer_options', 'order=2']


def run(*arguments, folder):
    "Run `kae_train` in `folder`; return its exit status and its two outputs."
    done = processes.run('kae_train', *arguments, folder=folder)
    return done.returncode, done.stdout, done.stderr


def end_of(arguments, folder, monkeypatch):
    "How `kae_train` with these arguments ends, in this process: exit status and both outputs."
    monkeypatch.chdir(folder)
    return in_terminal(kae_train, *arguments)


def checkpoints(folder):
    return sorted(Path(folder).rglob('step-*.safetensors'))


def test_interrupted(tmp_path):
    "Ctrl-C ends the command with status 130, and the same command with --resume goes on."
    arguments = [*settings, '--epochs', '4000', '--out', 'out']
    with open(tmp_path / 'errors', 'w+') as shown:
        process = subprocess.Popen(
            [command, *arguments], cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=shown
        )
        deadline = time.time() + 60
        # it is training
        while 'images/s' not in (tmp_path / 'errors').read_text() and time.time() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    errors = (tmp_path / 'errors').read_text()
    assert process.returncode == 130 and output == '' and 'Traceback' not in errors
    assert 'interrupted after step' in errors and 'with --resume goes on' in errors
    assert len(checkpoints(tmp_path)) == 1
    status, _, errors = run(*arguments, folder=tmp_path)  # not by accident
    assert status == 2 and 'resume' in errors.splitlines()[-1] and len(checkpoints(tmp_path)) == 1
    status, _, errors = run(
        *arguments[:-4], '--epochs', '5', '--out', 'out', '--resume', folder=tmp_path
    )
    assert status == 2 and 'epochs is 4000 there and 5 here' in errors


@pytest.mark.parametrize(
    'text, message',
    [
        ('layer = "wavkam"', "unknown layer 'wavkam': did you mean 'wavkan'?"),
        ('layer = ["kae"]', 'layer must be a text'),
        ('epochs = "ten"', "epochs must be a whole number, got 'ten'"),
        ('epochs = 1.5', "epochs must be a whole number, got '1.5'"),
        ('latent_dim = true', "latent_dim must be a whole number, got 'True'"),
        ('lr = nan', 'lr for adam must be above 0 and at most 1, got nan'),
        ('shuffle = "perhaps"', 'shuffle must be true or false'),
        ('hidden_dims = 32', 'hidden_dims must be numbers'),
        (
            'optimiser = "adam"',
            "unknown setting in run.toml: 'optimiser': did you mean 'optimizer'?",
        ),
        ('dataset = "digit"', "unknown data set 'digit'"),
        ('latent_dim = 0', 'latent_dim must be at least 1, got 0'),
        ('seed = -1', 'seed must be at least 0'),
        ('epochs = ', 'run.toml holds no settings'),
        (
            'epochs = ' + '[' * 100_000,
            'run.toml holds no settings: something is nested too deeply',
        ),
        ('[layer_options]\norder = "two"', "order must be a whole number, got 'two'"),
        ('layer_options = "order=2"', "options must be names with values, got 'order=2'"),
        ('[data_options]\ngrayscale = 3', 'grayscale must be true or false'),
    ],
)
def test_bad_settings(tmp_path, monkeypatch, text, message):
    (tmp_path / 'run.toml').write_text(text)
    status, output, errors = end_of(['--config', 'run.toml'], tmp_path, monkeypatch)
    assert (status, output, errors.count('\n')) == (2, '', 1) and message in errors
    assert sorted(p.name for p in tmp_path.iterdir()) == ['run.toml']


def test_bad_settings_of_a_process(tmp_path):
    (tmp_path / 'run.toml').write_text('epochs = "ten"')
    assert run('--config', 'run.toml', folder=tmp_path) == (
        2,
        '',
        "kae_train: epochs must be a whole number, got 'ten'\n",
    )


@pytest.mark.parametrize(
    'arguments, message',
    [
        (['--latent_dim', 10**12], 'latent_dim must be at most'),
        (['--latent_dim', 10**9], 'GB of memory'),
        (['--hidden_dims', '32,x'], "hidden_dims must be numbers such as [10,14], got '32,x'"),
        (['--hidden_dims', '32.5'], 'hidden_dims must be a whole number, got 32.5'),
        (['--seed', -1], 'seed must be at least 0, got -1'),
        (['--seed', 99999999999999999999], 'seed must be'),
        (['--epochs', 0], 'epochs must be at least 1, got 0'),
        (['--layer_options', 'device=cuda'], "unknown option 'device'"),
        (['--layer_options', 'oder=2'], "unknown option 'oder': did you mean 'order'?"),
        (['--layer_options', 'order'], 'options are name=value'),
        (
            ['--layer', 'linear', '--layer_options', 'order=2'],
            "unknown option 'order': known are 'bias'",
        ),
        (['--data_options', 'subset=many'], "subset must be a whole number, got 'many'"),
        (['--protocol', 'papre'], "protocol must be None or 'paper', got 'papre'"),
        (['--optimizer', 'adm'], "unknown optimizer 'adm': did you mean 'adam'?"),
        (['--latentdim', 3], "unknown option '--latentdim': did you mean '--latent_dim'?"),
        (['--config', '.'], 'is a folder'),
        (['--config', 'binary'], 'binary holds no settings'),
        (['--config', 'deep.json'], 'deep.json holds no settings'),
        (['--out', 'binary'], 'cannot write to binary'),
        (['--out', 'binary/out'], 'cannot write to binary/out'),
        (['--device', 'cuda:99'], "got 'cuda:99'"),
    ],
)
def test_wrong_calls(tmp_path, monkeypatch, arguments, message):
    "One line that names the option, status 2, no data loaded, nothing made."
    (tmp_path / 'binary').write_bytes(bytes(range(256)))
    (tmp_path / 'deep.json').write_text('{"settings": ' + '[' * 100_000)

    def load(*_, **__):
        raise AssertionError('data were loaded')

    load.__signature__ = inspect.signature(runs.load_dataset)
    monkeypatch.setattr(runs, 'load_dataset', load)
    status, output, errors = end_of(arguments, tmp_path, monkeypatch)
    assert (
        (status, output, errors.count('\n')) == (2, '', 1)
        and errors.startswith('kae_train: ')
        and message in errors
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ['binary', 'deep.json']


def test_options_mean_what_they_say(tmp_path, monkeypatch):
    "False is false on a command line, and no is no in a file."
    (tmp_path / 'run.toml').write_text(
        'shuffle = "no"\nepochs = 1\nlayer = "kan"\n[layer_options]\nbias = "off"\n'
    )
    arguments = [
        '--config',
        'run.toml',
        '--layer_options',
        'bias=False,grid_range=[-2,2]',
        '--data_options',
        'size=6x10',
        '--latent_dim',
        2,
    ]
    assert end_of(arguments, tmp_path, monkeypatch)[0] == 0
    settings = read_json(tmp_path / 'kae_train/run.json')['settings']
    assert (
        settings['shuffle'] is False
        and settings['layer_options'] == dict(bias=False, grid_range=[-2, 2])
        and settings['data_options'] == dict(size=[6, 10])
    )
    assert (
        load_file(tmp_path / 'kae_train/model.safetensors')['decoder.0.coefficients'].shape[0]
        == 60
    )


def test_two_at_once(tmp_path):
    "The second run in a folder is refused, and told who holds it; when the first has ended, the folder is free."
    (tmp_path / 'out').mkdir()
    with locked(tmp_path / 'out', 'kae_train'):
        status, output, errors = run(*settings, '--epochs', '1', '--out', 'out', folder=tmp_path)
    assert (
        (status, output, errors.count('\n')) == (2, '', 1)
        and f'process {os.getpid()}' in errors
        and 'out is in use by kae_train' in errors
    )
    assert not list((tmp_path / 'out').iterdir())


class Killed(BaseException):
    "Stands for a kill: nothing catches it."


SMALL = dict(latent_dim=2, epochs=1, layer_options=dict(order=1), progress=False)


@pytest.mark.parametrize(
    'owner, name',
    [
        ('kae_nb.runs.AutoEncoder', 'save'),
        ('kae_nb.runs', 'plot_run'),
        ('kae_nb.runs', 'write_json'),
        ('kae_nb.runs.Path', 'unlink'),
    ],
)
def test_ended_before_it_was_tidied(tmp_path, monkeypatch, owner, name):
    "A run that was trained but not written, or written but not tidied, ends well with resume."
    whole, _ = train_run(tmp_path / 'whole', **SMALL)
    with monkeypatch.context() as patch:

        def kill(*_, **__):
            raise Killed

        patch.setattr(f'{owner}.{name}', kill)
        with pytest.raises(Killed):
            train_run(tmp_path / 'out', **SMALL)
    assert checkpoints(tmp_path / 'out')
    with pytest.raises(FileExistsError):
        train_run(tmp_path / 'out', **SMALL)
    model, history = train_run(tmp_path / 'out', resume=True, **SMALL)
    assert sorted(p.name for p in (tmp_path / 'out').iterdir()) == [
        'checkpoints',
        'figure.png',
        'history.csv',
        'model.safetensors',
        'run.json',
    ]
    assert (
        all(torch.equal(a, b) for a, b in zip(whole.parameters(), model.parameters()))
        and len(history.test_loss) == 1
    )


KILLED_WHILE_WRITING = """
import os, signal
from kae_nb import files, runs
replace = os.replace
def kill(source, target):
    if str(target).endswith('run.json'): os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)
os.replace = kill
runs.train_run('out', latent_dim=2, epochs=1, layer_options=dict(order=1), progress=False)
"""


def test_leftovers_go(tmp_path, monkeypatch):
    "A real kill while run.json is written: what is left of it goes at the next start."
    done = subprocess.run([sys.executable, '-c', KILLED_WHILE_WRITING], cwd=tmp_path, timeout=100)
    assert done.returncode == -signal.SIGKILL and list((tmp_path / 'out').glob('.kae_nb-*'))
    train_run(tmp_path / 'out', resume=True, **SMALL)
    assert sorted(p.name for p in (tmp_path / 'out').iterdir()) == [
        'checkpoints',
        'figure.png',
        'history.csv',
        'model.safetensors',
        'run.json',
    ]


def test_best_epoch_and_problem(tmp_path, monkeypatch):
    "A training that was thrown off: one line says so, the record too; with --restore_best the model is that of its best epoch."
    arguments = ['--latent_dim', 4, '--lr', 0.5, '--epochs', 6, '--restore_best']
    status, output, errors = end_of(arguments, tmp_path, monkeypatch)
    record, history = (
        read_json(tmp_path / 'kae_train/run.json'),
        pd.read_csv(tmp_path / 'kae_train/history.csv', index_col='epoch'),
    )
    assert (
        status == 0
        and record['problem']
        and f'kae_train: {record["problem"]}' in errors.splitlines()
    )
    assert (
        record['best_epoch'] == history.test_loss.idxmin()
        and record['test_mse'] == history.test_loss.min()
        and 'restore_best' in record['settings']
    )
    x = runs.load_dataset('digits').x_test
    assert (
        abs(
            reconstruction_mse(AutoEncoder.load(tmp_path / 'kae_train/model.safetensors'), x)
            - record['test_mse']
        )
        < 1e-6
    )
    assert (
        f'test MSE {record["test_mse"]:.4f}' in output
        and f'PCA {record["pca_test_mse"]:.4f}' in output
        and f'the mean image {record["mean_image_mse"]:.4f}' in output
    )


def test_changed_record(tmp_path, monkeypatch):
    "One changed digit in run.json is noticed where it is used."
    train_run(tmp_path / 'out', **SMALL)
    file = tmp_path / 'out/run.json'
    file.write_text(file.read_text().replace('"epochs": 1', '"epochs": 2'))
    status, output, errors = end_of(
        ['--config', 'out/run.json', '--out', 'again'], tmp_path, monkeypatch
    )
    assert (
        (status, output, errors.count('\n')) == (2, '', 1)
        and 'damaged' in errors
        and not (tmp_path / 'again').exists()
    )


def test_figure_that_fails(tmp_path, monkeypatch):
    "A picture that cannot be drawn leaves the rest, and the record says so."

    def fail(*_):
        raise ValueError('no font')

    monkeypatch.setattr(runs, 'plot_run', fail)
    with pytest.warns(UserWarning, match='there is no figure: no font'):
        train_run(tmp_path / 'out', **SMALL)
    assert read_json(tmp_path / 'out/run.json')['missing'] == 'figure.png: no font'
    assert sorted(p.name for p in (tmp_path / 'out').iterdir()) == [
        'checkpoints',
        'history.csv',
        'model.safetensors',
        'run.json',
    ]


def test_config_and_command_line(tmp_path):
    "What is said later wins; run.json repeats the run to the digit."
    (tmp_path / 'run.toml').write_text(
        'layer = "fourierkan"\nepochs = 2\nlatent_dim = 4\nhidden_dims = [16]\n[layer_options]\ngrid_size = 2\n'
    )
    assert run('--config', 'run.toml', '--epochs', '3', '--out', 'a', folder=tmp_path)[0] == 0
    assert run('--config', 'a/run.json', '--out', 'b', folder=tmp_path)[0] == 0
    a, b = (
        json.loads((tmp_path / name / 'run.json').read_text(encoding='utf-8')) for name in 'ab'
    )
    assert (
        a['settings']['epochs'] == 3
        and a['settings']['layer'] == 'fourierkan'
        and a['settings']['hidden_dims'] == [16]
    )
    assert a['settings'] == b['settings'] and a['test_mse'] == b['test_mse']
    x, y = (load_file(tmp_path / name / 'model.safetensors') for name in 'ab')
    assert all(np.array_equal(x[name], y[name]) for name in x)
    assert (tmp_path / 'a/figure.png').read_bytes().startswith(b'\x89PNG')
