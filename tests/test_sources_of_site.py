"How the site's sources are prepared: numbers in titles, the reference, the sidebar."

import importlib.util, json, re
from pathlib import Path

import pytest

top = Path(__file__).resolve().parent.parent
pytest.importorskip('nbdev')


@pytest.fixture
def prepare(tmp_path, monkeypatch):
    "The module .ci/prepare.py, for pages in a folder of the test."
    spec = importlib.util.spec_from_file_location('prepare', top / '.ci/prepare.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, 'made', tmp_path)
    return module


def write_page(path, title, *cells):
    "A page as nbdev prepares it."
    head = f"---\ntitle: '{title}'\noutput-file: a.html\n---\n"
    rest = [dict(cell_type='code', metadata={}, outputs=[], source=cell) for cell in cells]
    page = dict(cells=[dict(cell_type='raw', metadata={}, source=head), *rest])
    path.write_text(json.dumps(page), encoding='utf-8')


def test_the_book_is_numbered(prepare, tmp_path):
    "And other pages are not; all but the front page have a line at their top."
    names = '58_anomaly', 'how_to_export', 'index'
    for name in names:
        write_page(tmp_path / f'{name}.ipynb', 'Odd: rows', 'x = 1')
    prepare.finish_pages()
    pages = [
        json.loads((tmp_path / f'{name}.ipynb').read_text(encoding='utf-8')) for name in names
    ]
    titles = [prepare.front_matter(page)['title'] for page in pages]
    assert titles == ['58 · Odd: rows', 'Odd: rows', 'Odd: rows']
    assert [len(page['cells']) for page in pages] == [3, 3, 2]
    assert 'blob/main/nbs/58_anomaly.ipynb' in pages[0]['cells'][1]['source']


def test_reference(prepare, tmp_path):
    "Each name that a page documents, once, with its docstring and a link to where it stands."
    shown = '#| echo: false\n#| output: asis\nshow_doc('
    ends = 'KAEDetector)', 'KAEDetector.explain, title_level=3)', 'KAEDetector)'
    write_page(tmp_path / '58_anomaly.ipynb', '58 · Odd rows', *(shown + end for end in ends))
    write_page(tmp_path / '59_odd_rows.ipynb', 'No names', 'x = 1')
    prepare.write_reference()
    text = (tmp_path / 'reference.qmd').read_text(encoding='utf-8')
    assert '## kae_nb.anomaly\n\n[58 · Odd rows](58_anomaly.ipynb)' in text
    assert 'No names' not in text
    lines = [line for line in text.splitlines() if line.lstrip().startswith('- ')]
    assert len(lines) == 2
    assert lines[0].startswith('- [`KAEDetector`](58_anomaly.ipynb#kaedetector): Finds rows')
    assert lines[1].startswith(
        '  - [`KAEDetector.explain`](58_anomaly.ipynb#kaedetector.explain): '
    )


def test_every_page_is_in_the_sidebar():
    "And what is in the sidebar is a page, but for the reference, which the build makes."
    listed = re.findall(
        r'- ([\w/]+\.(?:ipynb|qmd|md))', (top / '_quarto.yml').read_text(encoding='utf-8')
    )
    there = {path.name for path in (top / 'nbs').glob('[!_]*.ipynb')}
    assert len(listed) == len(set(listed))
    assert {name for name in listed if name.endswith('.ipynb')} == there
    assert 'reference.qmd' in listed
    book = [name for name in listed if name[0].isdigit()]
    assert book == sorted(book)


def test_how_tos_export_nothing():
    "Pages that start a job or show one have no code of the package."
    for path in (top / 'nbs').glob('[a-z]*.ipynb'):
        cells = json.loads(path.read_text(encoding='utf-8'))['cells']
        assert not any(
            re.search(r'#\|\s*(export|default_exp)', ''.join(c['source'])) for c in cells
        )
        text = ''.join(''.join(c['source']) for c in cells)
        if path.stem.startswith('how_to_'):
            assert '**You need**' in text and '## Where to go on' in text, path.name
            assert any(
                'image/png' in o.get('data', {})
                or 'text/html' in o.get('data', {})
                or o.get('name') == 'stdout'
                for c in cells
                for o in c.get('outputs', ())
            ), path.name
