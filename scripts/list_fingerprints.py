"""Print the table of fingerprints of the CWRU recordings in a folder.

python scripts/list_fingerprints.py FOLDER > faultdiag/datasets/cwru_fingerprints.csv
"""

import sys
from pathlib import Path

from faultdiag.datasets import cwru
from faultdiag.datasets.identify import SAMPLES, fingerprint
from faultdiag.readers.base import channels_of
from faultdiag.readers.read import list_variables, open_recording, read_range

print("number,channel,samples,fingerprint")
rows = {}
for path in Path(sys.argv[1]).rglob("*.mat"):
    known = cwru.recognise(path)
    if known is None:
        continue
    for channel in channels_of(list_variables(path)):
        samples = open_recording(path, channel=channel).samples
        digits = fingerprint(read_range(path, channel, 0, SAMPLES)[0])
        rows[known.number, channel] = f"{samples},{digits}"
for (number, channel), values in sorted(rows.items()):
    print(f"{number},{channel},{values}")
