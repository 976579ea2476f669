"`kae_evaluate` as a process: what a user sees, what is left on the disk, how it ends; and faiss beside torch."
import json, os, subprocess, sys
from pathlib import Path

import pytest
import torch

from kae_nb.autoencoder import AutoEncoder

def run(*arguments, folder, **environment):
    "Run `kae_evaluate` in `folder`; return the finished process."
    command = Path(sys.executable).with_name('kae_evaluate')
    return subprocess.run([command, *arguments], cwd=folder, capture_output=True, text=True, timeout=120, env={**os.environ, **environment})

def files(folder): return {p.relative_to(folder): p.read_bytes() for p in Path(folder).rglob('*') if p.is_file()}

@pytest.fixture
def folder(tmp_path):
    "A folder with a model of digits, and one of larger images."
    torch.manual_seed(0)
    AutoEncoder(64, 4, layer='linear').save(tmp_path/'small.safetensors')
    AutoEncoder(784, 4).save(tmp_path/'large.safetensors')
    (tmp_path/'text.safetensors').write_text('no tensors')
    return tmp_path

def test_report(folder):
    done = run('small.safetensors', '--out', 'report.html', '--protocol', 'paper', folder=folder)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith('digits: 1,437 training') and lines[1].split() == ['small', 'PCA']
    assert lines[-2:] == ['report:  report.html', 'numbers: report.json']
    assert 'measuring small on digits' in done.stderr and 'retrieval' in done.stderr     # progress
    numbers = json.loads((folder/'report.json').read_text(encoding='utf-8'))
    assert (numbers['dataset'], numbers['protocol'], list(numbers['rows'])) == ('digits', 'paper', ['small', 'PCA'])
    printed = {line.split()[0]: line.split()[1:] for line in lines[2:-2]}
    for name, value in numbers['rows']['small'].items(): assert abs(float(printed[name][0]) - value) <= 0.5
    assert numbers['rows']['PCA']['reconstruction_mse'] < 0.05 and numbers['rows']['PCA']['accuracy_1nn'] > 0.6
    page = (folder/'report.html').read_text(encoding='utf-8')
    assert page.count('<img') == 8 and 'src="http' not in page
    assert {p.name for p in folder.iterdir()} == {'small.safetensors', 'large.safetensors', 'text.safetensors', 'report.html', 'report.json'}

@pytest.mark.parametrize('arguments, message', [
    (['none.safetensors'], "no model file 'none.safetensors'"),
    (['text.safetensors'], 'text.safetensors is damaged or no safetensors file'),
    (['large.safetensors'], 'the model takes images of 784 pixels, got 64'),
    (['small.safetensors', '--dataset', 'mnits'], "unknown data set 'mnits': did you mean 'mnist'?"),
    (['small.safetensors', '--protocol', 'papers'], "protocol must be None or 'paper', got 'papers'"),
    (['small.safetensors', '--out', 'report.pdf'], 'report.pdf must end in .html'),
    (['small.safetensors', '--out', 'none/report.html'], 'cannot write to none: there is no such folder'),
    (['small.safetensors', '--device', 'gpu'], "no device 'gpu' on this machine"),
])
def test_bad_input(folder, arguments, message):
    before = files(folder)
    done = run(*arguments, folder=folder)
    assert (done.returncode, done.stdout) == (2, '')
    assert done.stderr.count('\n') == 1 and done.stderr.startswith('kae_evaluate: ') and message in done.stderr
    assert files(folder) == before

@pytest.mark.parametrize('imports', ['import faiss, torch', 'import torch, faiss', 'import faiss, sklearn, torch'])
def test_faiss_and_torch_share_a_process(imports):
    "Each brings a thread pool of its own; both must compute, and in any order of import."
    code = f'''{imports}
import numpy as np
x = torch.rand(5000, 64)
for _ in range(3):
    (x @ x.T).sum()
    index = faiss.IndexFlatL2(64); index.add(x.numpy())
    assert (index.search(x.numpy(), 1)[1][:, 0] == np.arange(5000)).mean() > 0.99
    torch.nn.Linear(64, 64)(x).sum().backward()
'''
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=120, env={**os.environ, 'OMP_NUM_THREADS': '2'})
    assert done.returncode == 0, done.stderr
