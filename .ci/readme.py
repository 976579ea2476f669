"""Write README.md from nbs/index.ipynb, or with --check say whether the two agree.

Quarto can do this too (`nbdev_readme`); this needs nothing but Python, so that the check runs everywhere.
"""

import json, re, sys
from pathlib import Path

top = Path(__file__).resolve().parent.parent
REPO, SITE = 'https://github.com/kae-nb/kae_nb', 'https://kae-nb.github.io/kae_nb'
BADGES = f"""[![tests]({REPO}/actions/workflows/test.yml/badge.svg)]({REPO}/actions/workflows/test.yml)
[![site]({REPO}/actions/workflows/docs.yml/badge.svg)]({SITE})
[![Python 3.10 or later](https://img.shields.io/badge/python-3.10%2B-blue)]({SITE}/start_install.html)
[![Apache 2.0](https://img.shields.io/badge/license-Apache%202.0-blue)]({REPO}/blob/main/LICENSE)

**[{SITE.removeprefix('https://')}]({SITE})** has these pages with their figures, the book and the reference."""


def text(parts):
    return ''.join(parts).strip('\n')


def cell_to_markdown(cell):
    "A cell as Markdown: code in a fence, text output indented below it, nothing for hidden cells."
    source = text(cell['source'])
    if cell['cell_type'] == 'markdown':
        return source
    if source.startswith('#| hide') or not source:
        return ''
    blocks = [] if source.startswith('#| echo: false') else [f'```python\n{source}\n```']
    for output in cell['outputs']:
        if markdown := output.get('data', {}).get('text/markdown'):
            blocks.append(text(markdown))
            continue
        shown = output.get('text') or output.get('data', {}).get('text/plain', '')
        if shown:
            blocks.append('\n'.join(f'    {line}' for line in text(shown).splitlines()))
    return '\n\n'.join(blocks)


def readme():
    "The README that index.ipynb makes; links to pages and pictures become links into nbs/."
    cells = json.loads((top / 'nbs/index.ipynb').read_text(encoding='utf-8'))['cells']
    head, *rest = filter(None, map(cell_to_markdown, cells))
    body = '\n\n'.join([head, BADGES, *rest])
    body = re.sub(r'\]\((?=images/|\w+\.ipynb)', '](nbs/', body)
    return f'<!-- made from nbs/index.ipynb by .ci/readme.py; edit that -->\n\n{body}\n'


if __name__ == '__main__':
    if sys.argv[1:] == ['--check']:
        if (top / 'README.md').read_text(encoding='utf-8') != readme():
            sys.exit(
                'README.md and nbs/index.ipynb disagree: run python .ci/readme.py and commit README.md'
            )
    else:
        (top / 'README.md').write_text(readme(), encoding='utf-8')
