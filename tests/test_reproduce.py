"The grid on disk: killed again and again, shared out to Dask and Ray, two at once, interrupted, with damaged files, dying workers and a full disk."

import json, os, shutil, signal, socket, subprocess, sys, time
from contextlib import suppress
from pathlib import Path

import pytest
from filelock import FileLock

GRID = '''
import random, signal, sys, warnings
import numpy, torch
from kae_nb.console import one_line_errors
from kae_nb.data import load_dataset
from kae_nb.experiments import MODELS, checksum, grid, run_grid
from kae_nb.store import Store
folder, engine, epochs = sys.argv[1:]
def state():
    return (torch.get_num_threads(), torch.get_rng_state().tolist(), numpy.random.get_state()[1].tolist(), random.getstate(),
            signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))
if __name__ == '__main__':
    models = {name: MODELS[name] for name in ('AE', 'KAE (p=1)', 'KAE (p=2)', 'KAE (p=3)')}
    jobs = grid({'digits': checksum(load_dataset('digits'))}, [4], models, [1e-3], [1e-4, 1e-5], range(2), int(epochs))
    print('begun', flush=True)
    with one_line_errors('grid'):
        before, filters = state(), list(warnings.filters)
        run_grid(jobs, Store(folder), engine=engine, workers=2, threads=1, progress=False)
        if state() != before: raise AssertionError('the process is not as it was')
        if warnings.filters[-len(filters):] != filters: raise AssertionError('the filters of warnings are not as they were')
'''
N_JOBS = 4 * 2 * 2 + 1


def start(tmp_path, folder, engine='here', epochs=3, **options):
    "Start the small grid in a process of its own, in which it has just begun."
    script = tmp_path / 'grid.py'
    script.write_text(GRID)
    process = subprocess.Popen(
        [sys.executable, script, folder, engine, str(epochs)],
        stdout=subprocess.PIPE,
        stderr=(tmp_path / 'errors').open('a'),
        text=True,
        **options,
    )
    process.stdout.readline()
    return process


def wait_for_files(process, store):
    "Wait until the first job is stored."
    deadline = time.time() + 120
    while not files(store) and process.poll() is None and time.time() < deadline:
        time.sleep(0.02)


def paused_midway(tmp_path, store, engine):
    "Start the grid, and pause all its processes while some jobs are stored and some are not."
    for _ in range(5):
        process = start(tmp_path, store, engine, start_new_session=True)
        wait_for_files(process, store)
        with suppress(ProcessLookupError):  # it is over already, on a machine that is busy
            os.killpg(process.pid, signal.SIGSTOP)
            if len(files(store)) < N_JOBS:
                return process
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(store)
    raise AssertionError('nothing to interrupt')


def finish(process, tmp_path):
    "Wait for the end of a grid; an error ends the test."
    assert process.wait(timeout=400) == 0, (tmp_path / 'errors').read_text()[-3000:]


def files(folder):
    return {path.name: path.stat().st_mtime_ns for path in Path(folder).glob('*.json')}


def results(folder):
    "What is in a store, but for times."
    found = {}
    for path in Path(folder).glob('*.json'):
        record = json.loads(path.read_text(encoding='utf-8'))
        record['result'].pop('training_seconds')
        found[path.name] = (
            record['job'],
            json.dumps(record['result'], sort_keys=True),
            record['hardware'],
            record['kae_nb'],
        )
    return found


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    "The folder of the store of the grid, done in one process without a break."
    folder = tmp_path_factory.getbasetemp()
    # shared by the processes that test
    if 'PYTEST_XDIST_WORKER' in os.environ:
        folder = folder.parent
    folder = folder / 'undisturbed'
    folder.mkdir(exist_ok=True)
    with FileLock(folder / 'lock'):
        if not (folder / 'store').exists():
            finish(start(folder, folder / 'store'), folder)
    assert len(files(folder / 'store')) == N_JOBS
    return folder / 'store'


@pytest.fixture(scope='module')
def undisturbed(whole):
    return results(whole)


@pytest.mark.slow
@pytest.mark.parametrize('engine', ['loky', 'dask', 'ray'])
def test_worker_dies(engine, undisturbed, tmp_path):
    "Two workers give what this process gives, bit for bit, though one is killed in the middle."
    pytest.importorskip({'loky': 'joblib', 'dask': 'distributed', 'ray': 'ray'}[engine])
    psutil = pytest.importorskip('psutil')
    store = tmp_path / 'store'
    process = start(tmp_path, store, engine)
    wait_for_files(process, store)

    def busy(child):
        "Whether a process is a worker that has loaded the library."
        try:
            return child.pid != process.pid and any('torch' in m.path for m in child.memory_maps())
        except psutil.Error:
            return False

    workers = [
        child for child in psutil.Process(process.pid).children(recursive=True) if busy(child)
    ]
    assert workers and len(files(store)) < N_JOBS, 'nothing to kill'
    before = files(store)
    workers[0].kill()
    finish(process, tmp_path)
    assert files(store).items() >= before.items() and results(store) == undisturbed


def test_damaged_store(whole, undisturbed, tmp_path):
    "A truncated file is reported and done again, a foreign one is reported and left alone."
    store = shutil.copytree(whole, tmp_path / 'store')
    damaged = sorted(store.glob('*.json'))[3]
    damaged.write_bytes(damaged.read_bytes()[:100])
    (store / 'notes.json').write_text('{"mine": true}')
    before = {name: time for name, time in files(store).items() if name != damaged.name}
    finish(start(tmp_path, store), tmp_path)
    errors = (tmp_path / 'errors').read_text()
    assert (
        f'{damaged.name} is damaged or was not written by kae_nb' in errors
        and 'notes.json is damaged or was not' in errors
    )
    assert files(store).items() >= before.items()
    (store / 'notes.json').unlink()
    assert {name: found[0] for name, found in results(store).items()} == {
        name: found[0] for name, found in undisturbed.items()
    }


@pytest.mark.parametrize('engine', ['here', pytest.param('loky', marks=pytest.mark.slow)])
def test_interrupted(engine, undisturbed, tmp_path):
    "Ctrl-C in a terminal, which all processes get: status 130, no process left, and the next run goes on."
    psutil = pytest.importorskip('psutil')
    store = tmp_path / 'store'
    process = paused_midway(tmp_path, store, engine)
    workers = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    os.killpg(process.pid, signal.SIGCONT)
    assert process.wait(timeout=120) == 130
    assert 'grid: interrupted' in (tmp_path / 'errors').read_text()
    before = files(store)
    assert len(before) < N_JOBS, 'nothing to interrupt'
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive
    finish(start(tmp_path, store), tmp_path)
    assert files(store).items() >= before.items() and results(store) == undisturbed


def test_ignored_interrupt(undisturbed, tmp_path):
    "A process that was told to ignore Ctrl-C does."

    def ignore():
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    process = start(tmp_path, tmp_path / 'store', preexec_fn=ignore)
    for _ in range(3):
        os.kill(process.pid, signal.SIGINT)
        time.sleep(0.2)
    finish(process, tmp_path)
    assert results(tmp_path / 'store') == undisturbed


def test_two_at_once(undisturbed, tmp_path):
    "Two processes with one store share the work: each job is done once, and both end when all is done."
    store = tmp_path / 'store'
    (tmp_path / 'other').mkdir()
    processes = [start(tmp_path, store), start(tmp_path / 'other', store)]
    for process in processes:
        assert process.wait(timeout=400) == 0
    assert results(store) == undisturbed
    assert sorted(path.name for path in store.iterdir() if path.suffix != '.json') == [
        'unfinished'
    ] and not list((store / 'unfinished').iterdir())


def test_leftovers_go(tmp_path):
    "What a killed process was writing goes at the next start; what one that is alive writes stays, and so do links."
    from kae_nb.experiments import run_grid
    from kae_nb.store import Store

    ended = subprocess.Popen([sys.executable, '-c', ''])
    ended.wait()
    names = [
        f'.kae_nb-{socket.gethostname()}-{pid}-{"0" * 16}' for pid in (ended.pid, os.getpid())
    ]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / 'half.json').write_text('half')
    target = tmp_path / 'target'
    target.mkdir()
    (target / 'mine').write_text('mine')
    (tmp_path / 'unfinished').mkdir()
    (tmp_path / 'unfinished' / ('a' * 20)).symlink_to(target)
    run_grid([], Store(tmp_path), progress=False)
    assert (
        not (tmp_path / names[0]).exists()
        and (tmp_path / names[1]).exists()
        and (target / 'mine').read_text() == 'mine'
    )


def test_full_disk(tmp_path):
    "No room for a file: an error that names it, and the files that were there are whole."
    resource = pytest.importorskip('resource')
    from kae_nb.data import load_dataset
    from kae_nb.experiments import MODELS, checksum, grid, run_group
    from kae_nb.store import Store, pack, unpack
    from kae_nb.reproduce import write_report

    store = Store(tmp_path / 'store')
    jobs = grid(
        {'digits': checksum(load_dataset('digits'))},
        [4],
        {'AE': MODELS['AE']},
        [1e-3],
        [1e-4],
        range(2),
        1,
        pca=False,
    )
    run_group(jobs[:1], store)
    table, out = tmp_path / 'results.csv.gz', tmp_path / 'report'
    pack(store.read(), table)
    frame = unpack(table)
    write_report(frame, out, 1)
    there = {path: path.read_bytes() for path in tmp_path.rglob('*') if path.is_file()}
    writers = [
        lambda: store.write(jobs[1], {}, 1.0),
        lambda: pack(store.read(), table),
        lambda: write_report(frame, out, 1),
        lambda: run_group(jobs[1:], store),
    ]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (64, limits[1]))
        for write in writers:
            with pytest.raises(OSError, match='cannot write'):
                write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert {
        path: path.read_bytes()
        for path in tmp_path.rglob('*')
        if path.is_file() and 'unfinished' not in path.parts
    } == there
    assert not [path for path in tmp_path.rglob('.kae_nb-*')]
    run_group(jobs, store)  # there is room again
    assert len(store.keys()) == 2
