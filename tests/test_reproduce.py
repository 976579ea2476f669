"The grid on disk: killed again and again, shared out to Dask and Ray, with damaged files and dying workers."
import json, os, subprocess, sys, time
from pathlib import Path

import pytest

GRID = '''
import sys
from kae_nb.data import load_dataset
from kae_nb.experiments import MODELS, Store, checksum, grid, run_grid
folder, engine, epochs = sys.argv[1:]
if __name__ == '__main__':
    models = {name: MODELS[name] for name in ('AE', 'KAE (p=1)', 'KAE (p=2)', 'KAE (p=3)')}
    jobs = grid({'digits': checksum(load_dataset('digits'))}, [4, 8], models, [1e-3], [1e-4, 1e-5], range(3), int(epochs))
    print('begun', flush=True)
    run_grid(jobs, Store(folder), engine=engine, workers=2, threads=1, progress=False)
'''
N_JOBS = 2*(4*2*3 + 1)

def start(tmp_path, folder, engine='here', epochs=3):
    "Start the small grid in a process of its own, in which it has just begun."
    script = tmp_path/'grid.py'
    script.write_text(GRID)
    process = subprocess.Popen([sys.executable, script, folder, engine, str(epochs)], stdout=subprocess.PIPE, stderr=(tmp_path/'errors').open('w'), text=True)
    process.stdout.readline()
    return process

def finish(process, tmp_path):
    "Wait for the end of a grid; an error ends the test."
    assert process.wait(timeout=400) == 0, (tmp_path/'errors').read_text()[-3000:]

def files(folder): return {path.name: path.stat().st_mtime_ns for path in Path(folder).glob('*.json')}

def results(folder):
    "What is in a store, but for times."
    found = {}
    for path in Path(folder).glob('*.json'):
        record = json.loads(path.read_text(encoding='utf-8'))
        record['result'].pop('training_seconds')
        found[path.name] = record['job'], json.dumps(record['result'], sort_keys=True), record['hardware'], record['kae_nb']
    return found

@pytest.fixture(scope='module')
def undisturbed(tmp_path_factory):
    "The store of the grid, done in one process without a break."
    folder = tmp_path_factory.mktemp('undisturbed')
    finish(start(folder, folder/'store'), folder)
    assert len(files(folder/'store')) == N_JOBS
    return results(folder/'store')

KILLED = '''
import os, random, signal, sys, time
import torch
torch.set_num_threads(1)                                # no threads before a fork
from pathlib import Path
from kae_nb.data import load_dataset
from kae_nb.experiments import MODELS, Store, checksum, grid, run_grid
folder, epochs, kills = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
models = {name: MODELS[name] for name in ('AE', 'KAE (p=1)', 'KAE (p=2)', 'KAE (p=3)')}
jobs = grid({'digits': checksum(load_dataset('digits'))}, [4, 8], models, [1e-3], [1e-4, 1e-5], range(3), epochs)
moments, seen = random.Random(0), {}
for kill in range(kills + 1):
    child = os.fork()                                   # a new process that need not import everything again
    if not child:
        try: run_grid(jobs, Store(folder), threads=1, progress=False)
        finally: os._exit(0)
    if kill < kills:
        time.sleep(moments.uniform(0, 0.5))
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    found = {path.name: path.stat().st_mtime_ns for path in folder.glob('*.json')}
    assert found.items() >= seen.items(), 'a finished job was written again, or lost'
    assert kill == kills or len(found) < len(jobs), f'the grid was finished after {kill} kills'
    seen = found
assert len(seen) == len(jobs)
'''

def test_killed_at_random_moments(tmp_path):
    "Twenty times SIGKILL: the same store as without, and no finished job is ever written again."
    script = tmp_path/'killed.py'
    script.write_text(KILLED)
    whole, killed = tmp_path/'whole', tmp_path/'killed'
    for folder, kills in ((whole, 0), (killed, 20)):
        done = subprocess.run([sys.executable, script, folder, '25', str(kills)], capture_output=True, text=True, timeout=400, env={**os.environ, 'OMP_NUM_THREADS': '1'})
        assert done.returncode == 0, done.stderr[-3000:]
    assert len(results(whole)) == N_JOBS and results(whole) == results(killed)
    assert sorted(p.name for p in killed.iterdir() if not p.name.endswith('.json')) == ['unfinished'] and not list((killed/'unfinished').iterdir())

@pytest.mark.parametrize('engine', ['dask', 'ray'])
def test_clusters_agree(engine, undisturbed, tmp_path):
    "Two workers of a cluster on this machine give what this process gives."
    pytest.importorskip({'dask': 'distributed', 'ray': 'ray'}[engine])
    finish(start(tmp_path, tmp_path/'store', engine), tmp_path)
    assert results(tmp_path/'store') == undisturbed

@pytest.mark.parametrize('engine', ['loky', 'dask', 'ray'])
def test_worker_dies(engine, undisturbed, tmp_path):
    "A worker killed in the middle costs no results."
    pytest.importorskip({'loky': 'joblib', 'dask': 'distributed', 'ray': 'ray'}[engine])
    psutil = pytest.importorskip('psutil')
    store = tmp_path/'store'
    process = start(tmp_path, store, engine)
    deadline = time.time() + 120
    while not files(store) and process.poll() is None and time.time() < deadline: time.sleep(0.02)
    def busy(child):
        "Whether a process is a worker that has loaded the library."
        try: return child.pid != process.pid and any('torch' in m.path for m in child.memory_maps())
        except psutil.Error: return False
    workers = [child for child in psutil.Process(process.pid).children(recursive=True) if busy(child)]
    assert workers and len(files(store)) < N_JOBS, 'nothing to kill'
    before = files(store)
    workers[0].kill()
    finish(process, tmp_path)
    assert files(store).items() >= before.items() and results(store) == undisturbed

def test_damaged_store(undisturbed, tmp_path):
    "A truncated file is reported and done again, a foreign one is reported and left alone."
    store = tmp_path/'store'
    finish(start(tmp_path, store), tmp_path)
    damaged = sorted(store.glob('*.json'))[3]
    damaged.write_bytes(damaged.read_bytes()[:100])
    (store/'notes.json').write_text('{"mine": true}')
    before = {name: time for name, time in files(store).items() if name != damaged.name}
    finish(start(tmp_path, store), tmp_path)
    errors = (tmp_path/'errors').read_text()
    assert f'{damaged.name} is damaged or was not written by kae_nb' in errors and 'notes.json is damaged or was not' in errors
    assert files(store).items() >= before.items()
    (store/'notes.json').unlink()
    assert {name: found[0] for name, found in results(store).items()} == {name: found[0] for name, found in undisturbed.items()}
