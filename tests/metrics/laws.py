"""What the tests of metrics share: seeds, classes, and the warnings of scikit-learn."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st

# scikit-learn warns where a score is undefined; ours are None or 0 there, as documented.
UNDEFINED = [
    pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true"),
    pytest.mark.filterwarnings("ignore:A single label was found"),
]
NAMES = ["N", "IR", "OR", "B"]
law = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**32 - 1)
