"""Take what says where a notebook was run, such as folders in warnings, out of the saved outputs."""

import json, re
from pathlib import Path

top = Path(__file__).resolve().parent.parent
PLACES = {  # what stands there, and what is left of it
    r'\S*/ipykernel_\d+/\d+\.py:\d+: ': '',
    r'\S*/site-packages/(\S+?):\d+: ': r'\1: ',
    r'\S*/(kae_nb/\w+\.py):\d+: ': r'\1: ',
}


def tidied(text):
    "A text without places."
    for place, left in PLACES.items():
        text = re.sub(place, left, text)
    return text


if __name__ == '__main__':
    for path in sorted((top / 'nbs').glob('*.ipynb')):
        notebook = json.loads(path.read_text(encoding='utf-8'))
        streams = [o for c in notebook['cells'] for o in c.get('outputs', ()) if 'text' in o]
        found = [o for o in streams if tidied(''.join(o['text'])) != ''.join(o['text'])]
        for output in found:
            output['text'] = tidied(''.join(output['text'])).splitlines(keepends=True)
        if found:
            saved = json.dumps(notebook, ensure_ascii=False, indent=1)
            path.write_text(saved + '\n', encoding='utf-8')
