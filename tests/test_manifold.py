"What a notebook cannot hold about manifolds: scikit-learn's checks, pickles, arrays that nobody may write to."

import pickle, warnings

import numpy as np
import pytest
import torch

from processes import check_estimators

from kae_nb.autoencoder import AutoEncoder
from kae_nb.manifold import PolynomialManifold


def test_scikit_learn_finds_nothing_and_skips_nothing():
    check_estimators(
        """[
        PolynomialManifold(),
        PolynomialManifold(n_components=2, degree=3, rounds=2),
        PolynomialManifold(rounds=0, clip=None),
        ]"""
    )


@pytest.fixture(scope='module')
def x():
    "Rows on a bent sheet, with noise; more than a batch."
    rng = np.random.default_rng(0)
    z = rng.normal(size=(5000, 3))
    bends = np.concatenate([z, z[:, :1] * z, z**2 / 2], 1)
    return bends @ rng.normal(size=(9, 20)) + 0.1 * rng.normal(size=(5000, 20))


@pytest.fixture(scope='module')
def model(x):
    return PolynomialManifold(3).fit(x)


def test_rows_do_not_depend_on_each_other(x, model):
    "In one call or in many, in any order."
    z = model.transform(x)
    assert np.allclose(model.transform(x[4000:4001]), z[4000:4001], atol=1e-8)
    order = np.random.default_rng(1).permutation(len(x))
    assert np.allclose(model.transform(x[order]), z[order], atol=1e-8)


def test_arrays_that_nobody_may_write_to(x, model):
    "Read-only, in another order of memory, every second row: the same model, and no word about it."
    locked = np.asfortranarray(x)
    locked.flags.writeable = False
    doubled = np.repeat(x, 2, 0)[::2]
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        for rows in (locked, doubled):
            same = PolynomialManifold(3).fit(rows)
            assert np.allclose(same.decoder_, model.decoder_, atol=1e-8)
            same.inverse_transform(same.transform(rows))
    assert (locked == x).all() and (doubled == x).all()


def test_pickled(x, model):
    again = pickle.loads(pickle.dumps(model))
    assert (again.transform(x[:50]) == model.transform(x[:50])).all()


def test_fitted_twice_is_the_same(x, model):
    "The same seed each time, and another one for another number; generators are left alone."
    state = np.random.get_state()[1].tobytes(), torch.get_rng_state().numpy().tobytes()
    assert (PolynomialManifold(3).fit(x).decoder_ == model.decoder_).all()
    generator = np.random.RandomState(0)
    assert np.isfinite(PolynomialManifold(3, random_state=generator).fit(x).decoder_).all()
    assert state == (np.random.get_state()[1].tobytes(), torch.get_rng_state().numpy().tobytes())


@pytest.mark.parametrize('kind', ['float16', 'int64', 'float32'])
def test_other_numbers(x, kind):
    rows = (20 * x[:500]).astype(kind)
    model = PolynomialManifold(3).fit(rows)
    wide = PolynomialManifold(3).fit(rows.astype(np.float64))
    assert model.transform(rows).dtype == (np.float32 if kind == 'float32' else np.float64)
    assert abs(model.score(rows) / wide.score(rows.astype(np.float64)) - 1) < 0.01


def test_far_from_the_data(x, model):
    "Rows a million times as far out have latents that are numbers."
    far = 1e6 * x[:100]
    z = model.transform(far)
    assert np.isfinite(z).all() and np.isfinite(model.inverse_transform(z)).all()


def test_files_of_another_kind(x, model, tmp_path):
    "Neither class takes the other's file for its own."
    model.save(tmp_path / 'manifold.safetensors')
    AutoEncoder(8, 2).save(tmp_path / 'model.safetensors')
    with pytest.raises(ValueError, match='manifold.safetensors'):
        AutoEncoder.load(tmp_path / 'manifold.safetensors')
    with pytest.raises(ValueError, match='model.safetensors'):
        PolynomialManifold.load(tmp_path / 'model.safetensors')
