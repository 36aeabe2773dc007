"""What Lava's LearningSparse does that PlasticSparse mends; that both learn alike is in learning/ of these tests."""

import numpy as np
import pytest

pytestmark = pytest.mark.needs_lava


@pytest.fixture
def stored():
    """(2, 3) with four synapses, one of weight 0, one of 1."""
    from scipy.sparse import csr_matrix

    return csr_matrix((np.array([0, 1, 4, -6]), ([0, 0, 1, 1], [0, 2, 0, 1])), (2, 3))


def test_lava_drops_synapses_of_weight_0_and_1_on_its_first_step(stored):
    from lava.utils.weightutils import SignMode, truncate_weights

    assert stored.nnz == 4
    assert truncate_weights(stored, SignMode.MIXED, 8).nnz == 2


@pytest.mark.filterwarnings("ignore:Comparing a sparse matrix")
def test_numpy_clips_no_sparse_tags(stored):
    with pytest.raises(ValueError, match="ambiguous"):
        np.clip(stored, -256, 255)


def test_every_synapse_of_the_mask_is_stored_whatever_it_weighs():
    from lava.magma.core.learning.learning_rule import Loihi3FLearningRule

    from ff2loihi.processes.learning.plastic_dense import rule_strings
    from ff2loihi.processes.learning.plastic_sparse import PlasticSparse

    mask = np.array([[1, 0, 1], [1, 1, 0]], bool)
    dw, dt = rule_strings(4, (2, 1))
    process = PlasticSparse(weights=np.array([[0, 0, 2], [4, -6, 0]]), mask=mask,
                            learning_rule=Loihi3FLearningRule(dw=dw, dt=dt, t_epoch=1, rng_seed=0))  # fmt: skip
    for var in (process.weights, process.tag_1):
        assert var.init.nnz == 4
        np.testing.assert_array_equal(np.diff(var.init.indptr), [2, 2])
