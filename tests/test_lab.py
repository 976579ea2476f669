"JupyterLab, driven in a browser as a reader would: notebooks run in order, bars and sliders show."

import json, os, re, shutil, socket, subprocess, sys, time
from pathlib import Path

import pytest

from test_site import pages

top = Path(__file__).resolve().parent.parent
why_not = pages.why_not()
if why_not is None:
    for name in ('jupyterlab', 'ipywidgets'):
        try:
            __import__(name)
        except ImportError:
            why_not = f'{name} is not installed'
pytestmark = [pytest.mark.slow, pytest.mark.skipif(why_not is not None, reason=str(why_not))]

BAR = '''from kae_nb.autoencoder import AutoEncoder
from kae_nb.data import load_dataset
from kae_nb.training import fit
history = fit(AutoEncoder(64, 4), load_dataset('digits'), epochs=300)'''


def free_port():
    with socket.socket() as made:
        made.bind(('127.0.0.1', 0))
        return made.getsockname()[1]


@pytest.fixture(scope='module')
def start(tmp_path_factory):
    "Where JupyterLab sends the browser, started as `jupyter lab nbs/index.ipynb` on a copy."
    folder = tmp_path_factory.mktemp('lab')
    hidden = shutil.ignore_patterns('_quarto.yml', '.*')
    shutil.copytree(top / 'nbs', folder / 'nbs', ignore=hidden)
    for name in ('settings.ini', 'pyproject.toml'):  # the last cell of a notebook exports
        shutil.copy(top / name, folder)
    shutil.copytree(top / 'kae_nb', folder / 'kae_nb', ignore=hidden)
    cell = dict(cell_type='code', id='bar', metadata={}, outputs=[], source=BAR)
    kernel = dict(name='python3', display_name='Python 3', language='python')
    notebook = dict(cells=[cell | dict(execution_count=None)], metadata=dict(kernelspec=kernel))
    notebook |= dict(nbformat=4, nbformat_minor=5)
    (folder / 'nbs/bar.ipynb').write_text(json.dumps(notebook))
    browser, sent = folder / 'browser', folder / 'sent.html'
    browser.write_text(f'#!/bin/sh\ncp "${{1#file://}}" {sent}.part && mv {sent}.part {sent}\n')
    browser.chmod(0o755)
    command = [sys.executable, '-m', 'jupyterlab', 'nbs/index.ipynb', '--allow-root']
    command += [f'--ServerApp.port={free_port()}', '--LabApp.expose_app_in_browser=True']
    own = dict(JUPYTER_CONFIG_DIR=str(folder / 'config'), IPYTHONDIR=str(folder / 'ipython'))
    own |= dict(BROWSER=f'{browser} %s')
    with open(folder / 'log', 'w') as log:
        process = subprocess.Popen(
            command, cwd=folder, env=os.environ | own, stdout=log, stderr=log
        )
    try:
        for _ in range(600):
            if sent.exists() or process.poll() is not None:
                break
            time.sleep(0.2)
        assert sent.exists(), (folder / 'log').read_text()
        yield re.search('href="(.*?)"', sent.read_text())[1].replace('&amp;', '&')
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope='module')
def tab(start):
    "A tab of the browser, on the page that JupyterLab begins with."
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=pages.browser_path())
        tab = browser.new_page(viewport=dict(width=1400, height=1000))
        tab.set_default_timeout(120_000)
        tab.goto(start)
        yield tab
        browser.close()


IDLE = """path => jupyterapp.shell.currentWidget?.context?.path === path
    && jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'"""
RUN = "jupyterapp.commands.execute('notebook:run-all-cells')"


def open_notebook(tab, name):
    "Open a notebook, and wait for its kernel."
    opening = "jupyterapp.commands.execute('docmanager:open', {path})"
    tab.evaluate(f'async path => {{ await {opening} }}', name)
    tab.wait_for_function(IDLE, arg=name)


def code_cells(tab):
    "The cells of the open notebook that have code, as a file would hold them."
    cells = tab.evaluate('() => jupyterapp.shell.currentWidget.context.model.toJSON().cells')
    return [cell for cell in cells if cell['cell_type'] == 'code' and ''.join(cell['source'])]


def run_all(tab, name):
    "Open a notebook, run all its cells, and return those with code."
    open_notebook(tab, name)
    tab.evaluate(f'async () => {{ await {RUN} }}')
    return code_cells(tab)


def check_in_order(cells):
    "All cells ran, from the first to the last, without an error."
    errors = [o for cell in cells for o in cell['outputs'] if o['output_type'] == 'error']
    assert not errors, errors
    counts = [cell['execution_count'] for cell in cells]
    assert counts == [*range(1, len(cells) + 1)], counts


def test_begins_at_the_front_page(start, tab):
    assert '/lab/tree/index.ipynb' in start
    heading = tab.locator('.jp-Notebook h1').first
    heading.wait_for()
    assert 'kae_nb' in heading.inner_text()


def test_runs_in_order(tab):
    check_in_order(run_all(tab, '17_unit.ipynb'))


@pytest.mark.parametrize('name', ['11_polynomial', '12_spline'])
def test_slider(tab, name):
    "The notebook runs, and its slider redraws the picture."
    check_in_order(run_all(tab, f'{name}.ipynb'))
    notebook = tab.locator('.jp-NotebookPanel:not(.lm-mod-hidden)')
    handle = notebook.locator('.widget-slider .noUi-handle').first
    handle.scroll_into_view_if_needed()
    picture = notebook.locator('.widget-interact img').first
    before = picture.get_attribute('src')
    handle.press('ArrowRight')
    for _ in range(100):
        if picture.get_attribute('src') != before:
            return
        tab.wait_for_timeout(200)
    raise AssertionError('the slider moved, and the picture did not')


def test_progress_shows(tab):
    "While a training runs its bar is there, a widget; nothing warns that it could not be one."
    open_notebook(tab, 'bar.ipynb')
    tab.evaluate(f'() => {{ {RUN} }}')  # not waiting for its end
    bar = tab.locator('.jp-NotebookPanel:not(.lm-mod-hidden) .widget-hprogress').first
    bar.wait_for()
    tab.wait_for_function(IDLE, arg='bar.ipynb')
    (cell,) = code_cells(tab)
    warned = ''.join(o['text'] for o in cell['outputs'] if o.get('name') == 'stderr')
    assert 'IProgress' not in warned
