"""Print what the changelog says of the newest release."""

import re
from pathlib import Path

text = (Path(__file__).resolve().parent.parent / 'CHANGELOG.md').read_text(encoding='utf-8')
parts = re.split(r'^## ', text, flags=re.MULTILINE)[1:]
newest = next(part for part in parts if not part.startswith('Unreleased'))
print(newest.partition('\n')[2].strip())
