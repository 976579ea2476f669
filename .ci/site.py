"""Build the site into _proc/_docs without Quarto and check it: links, titles, and the outputs saved in the notebooks."""

import json, re, subprocess, sys
from pathlib import Path

from pages import prepare

top = Path(__file__).resolve().parent.parent


def problems():
    "What is wrong with the pages, one line each."
    for notebook in sorted((top / 'nbs').glob('[!_]*.ipynb')):  # the others are drafts
        cells = json.loads(notebook.read_text(encoding='utf-8'))['cells']
        title = (
            ''.join(cells[0]['source']).splitlines()[0].removeprefix('# ')
            if cells[0]['cell_type'] == 'markdown'
            else ''
        )
        page = top / '_proc/_docs' / f'{notebook.stem}.html'
        if not page.exists():
            yield f'{notebook.name}: no page {page.name}'
            continue
        html = page.read_text(encoding='utf-8')
        if not title or title not in html:
            yield f'{page.name}: no title {title!r}'
        shown = [
            c
            for c in cells
            if c['cell_type'] == 'code'
            and not re.search(r'#\|\s*(hide|export|default_exp)', ''.join(c['source']))
        ]
        pictures = sum('image/png' in o.get('data', {}) for c in shown for o in c['outputs'])
        on_page = len(re.findall(r'<img[^>]+(?:data:image/png|figure-html|_files/|cell-)', html))
        if on_page < pictures:
            yield f'{page.name}: {on_page} of {pictures} saved figures'
        if shown and not any(c['outputs'] for c in shown):
            yield f'{notebook.name}: saved without outputs'


if __name__ == '__main__':
    prepare()
    subprocess.run(['smalldocs', 'render', '_proc'], cwd=top, check=True)
    report = subprocess.run(
        ['smalldocs', 'check', '_proc'], cwd=top, capture_output=True, text=True
    ).stdout
    # page names are Quarto's affair
    found = [line for line in report.splitlines() if 'output-file is not read' not in line]
    found += problems()
    print(*found, sep='\n')
    sys.exit(bool(found))
