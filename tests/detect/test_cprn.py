"""CPRN equation by equation against plain loops, and what its design promises."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the detect extra is not installed")

from mvps.datasets import NORMALS, RGB  # noqa: E402
from mvps.detect.cprn import (  # noqa: E402
    Attention,
    Cprn,
    CprnConfig,
    cosine_distance,
    entropy_loss,
    mean_distance,
    prototype_assignment,
    reconstruction_loss,
    token_distances,
    total_loss,
)
from mvps.errors import InputError  # noqa: E402

B, L, N, D, HEADS, M = 2, 3, 5, 8, 2, 4
SMALL = CprnConfig(dim=D, heads=HEADS, layers=L, prototypes=M)
VARIANTS = [
    replace(SMALL, fusion=fusion, reconstruct=reconstruct)
    for fusion in ("ucp", "concat", "rgb", "nv")
    for reconstruct in ("both", "rgb")
]


def random_tokens(seed: int = 0, tokens: int = N) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {m: torch.randn(B, L, tokens, D, generator=generator) for m in (RGB, NORMALS)}


def lively(config: CprnConfig, seed: int = 0) -> Cprn:
    """A network whose weights are far from their small start, in float64."""
    torch.manual_seed(seed)
    model = Cprn(config).double()
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(0.5 * torch.randn_like(weight))
    return model


def norm_loop(module: torch.nn.LayerNorm, x: np.ndarray) -> np.ndarray:
    weight, bias = module.weight.detach().numpy(), module.bias.detach().numpy()
    return (x - x.mean()) / math.sqrt(x.var() + module.eps) * weight + bias


def linear_loop(module: torch.nn.Linear, x: np.ndarray) -> np.ndarray:
    return module.weight.detach().numpy() @ x + module.bias.detach().numpy()


def attention_loop(module: Attention, query: np.ndarray, context: np.ndarray) -> np.ndarray:
    """Attention of one image by the textbook: (Q, D) over (N, D), a head and a token at a time."""
    keys = [linear_loop(module.to_key, norm_loop(module.context_norm, c)) for c in context]
    values = [linear_loop(module.to_value, norm_loop(module.context_norm, c)) for c in context]
    size = query.shape[1] // module.heads
    rows = []
    for token in query:
        asked = linear_loop(module.to_query, norm_loop(module.query_norm, token))
        joined = []
        for head in range(module.heads):
            part = slice(head * size, (head + 1) * size)
            logits = np.array([asked[part] @ k[part] for k in keys]) / math.sqrt(size)
            weights = np.exp(logits - logits.max())
            weights /= weights.sum()
            joined.append(sum(w * v[part] for w, v in zip(weights, values, strict=True)))
        rows.append(linear_loop(module.out, np.concatenate(joined)))
    return np.array(rows)


def refine_loop(module: torch.nn.Sequential, x: np.ndarray) -> np.ndarray:
    norm, first, _, last = module
    hidden = linear_loop(first, norm_loop(norm, x))
    gelu = np.array([h * 0.5 * (1 + math.erf(h / math.sqrt(2))) for h in hidden])
    return linear_loop(last, gelu)


def test_equations_1_to_3_match_a_plain_loop() -> None:
    model = lively(SMALL)
    contexts = {m: t[:, -1].double() for m, t in random_tokens().items()}
    got = model.extract(contexts).detach().numpy()
    queries = model.extract.queries.detach().numpy()
    for image in range(B):
        read = [
            attention_loop(model.extract.attend[m], queries, contexts[m][image].numpy())
            for m in (RGB, NORMALS)
        ]
        joined = queries + 0.5 * (read[0] + read[1])
        want = np.array([refine_loop(model.extract.refine, row) for row in joined])
        np.testing.assert_allclose(got[image], want, atol=1e-10)


def test_equation_4_matches_a_plain_loop() -> None:
    model = lively(SMALL)
    stage = model.decode[RGB][1]
    encoded = random_tokens()[RGB][:, 1].double()
    prototypes = torch.randn(B, M, D, dtype=torch.float64)
    got = stage(encoded, prototypes).detach().numpy()
    for image in range(B):
        attended = attention_loop(
            stage.attention, encoded[image].numpy(), prototypes[image].numpy()
        )
        want = np.array([row + refine_loop(stage.refine, row) for row in attended])
        np.testing.assert_allclose(got[image], want, atol=1e-10)


def test_equation_5_matches_a_plain_loop() -> None:
    tokens, decoded = (random_tokens(seed)[RGB].double() for seed in (1, 2))

    def distance(a: np.ndarray, b: np.ndarray) -> float:
        return 1 - a @ b / (np.linalg.norm(a) * np.linalg.norm(b))

    t, d = tokens.numpy(), decoded.numpy()
    of_mean = [distance(t[b, :, n].mean(0), d[b, :, n].mean(0)) for b in range(B) for n in range(N)]
    of_each = [
        distance(t[b, i, n], d[b, i, n]) for b in range(B) for i in range(L) for n in range(N)
    ]
    paper = reconstruction_loss(replace(SMALL, loss="paper"), tokens, decoded)
    layers = reconstruction_loss(SMALL, tokens, decoded)
    assert paper.item() == pytest.approx(np.mean(of_mean), abs=1e-12)
    assert layers.item() == pytest.approx(np.mean(of_mean) + np.mean(of_each), abs=1e-12)


def test_equation_6_matches_a_plain_loop() -> None:
    context = random_tokens()[RGB][:, -1].double()
    prototypes = torch.randn(B, M, D, dtype=torch.float64)
    q = np.zeros(M)
    for b in range(B):
        for n in range(N):
            f = context[b, n].numpy()
            cosines = np.array(
                [f @ p / (np.linalg.norm(f) * np.linalg.norm(p)) for p in prototypes[b].numpy()]
            )
            e = np.exp(cosines / 0.1)
            q += e / e.sum() / (B * N)
    got = prototype_assignment(context, prototypes)
    np.testing.assert_allclose(got.numpy(), q, atol=1e-12)
    assert entropy_loss(got).item() == pytest.approx(float((q * np.log(q + 1e-8)).sum()), abs=1e-12)


def test_the_entropy_term_is_least_where_all_prototypes_are_used_evenly() -> None:
    uniform = torch.full((M,), 1 / M)
    collapsed = torch.eye(M)[0]
    assert entropy_loss(uniform).item() == pytest.approx(-math.log(M), abs=1e-6)
    assert entropy_loss(collapsed).item() == pytest.approx(0, abs=1e-6)
    for seed in range(20):
        other = torch.rand(M, generator=torch.Generator().manual_seed(seed)).softmax(0)
        assert entropy_loss(uniform) < entropy_loss(other) < entropy_loss(collapsed)


def test_descending_the_entropy_term_wakes_a_prototype_that_no_token_uses() -> None:
    generator = torch.Generator().manual_seed(3)
    context = torch.randn(1, 40, D, generator=generator) + 3  # all tokens to one side
    prototypes = torch.full((1, M, D), -1.0) + 0.1 * torch.randn(1, M, D, generator=generator)
    prototypes[0, 0] = 3.0
    prototypes.requires_grad_()
    before = prototype_assignment(context, prototypes)
    assert before.max() > 0.99  # one prototype answers for everything: collapse
    optimiser = torch.optim.Adam([prototypes], lr=0.05)
    for _ in range(200):
        optimiser.zero_grad()
        entropy_loss(prototype_assignment(context, prototypes)).backward()
        optimiser.step()
    after = prototype_assignment(context, prototypes)
    assert after.max() < 0.5
    assert entropy_loss(after) < entropy_loss(before)


@pytest.mark.parametrize("config", VARIANTS, ids=lambda c: f"{c.fusion}-{c.reconstruct}")
def test_every_weight_learns_and_the_encoders_get_no_gradient(config: CprnConfig) -> None:
    model = lively(config).float()
    tokens = {m: t.requires_grad_() for m, t in random_tokens().items()}
    total_loss(config, tokens, model(tokens))["total"].backward()
    assert all(t.grad is None for t in tokens.values())
    still = [n for n, w in model.named_parameters() if w.grad is None or not w.grad.abs().sum() > 0]
    # A shift of all keys alike changes no softmax, so their bias cannot learn.
    assert [n for n in still if not n.endswith("to_key.bias")] == []


@pytest.mark.parametrize("config", VARIANTS, ids=lambda c: f"{c.fusion}-{c.reconstruct}")
def test_shapes_and_modalities_follow_the_variant(config: CprnConfig) -> None:
    tokens = random_tokens()
    out = Cprn(config)(tokens)
    expected = {
        ("ucp", "both"): (RGB, NORMALS),
        ("ucp", "rgb"): (RGB,),
        ("concat", "both"): (RGB, NORMALS),
        ("concat", "rgb"): (RGB,),
        ("rgb", "both"): (RGB,),
        ("rgb", "rgb"): (RGB,),
        ("nv", "both"): (NORMALS,),
        ("nv", "rgb"): (NORMALS,),
    }[config.fusion, config.reconstruct]
    assert tuple(out.decoded) == expected
    assert all(d.shape == (B, L, N, D) for d in out.decoded.values())
    assert out.prototypes.shape == (B, M, D)
    assert token_distances(config, tokens, out).shape == (B, N)
    assert mean_distance(tokens, out).shape == (B,)


def test_a_single_modality_does_not_look_at_the_other() -> None:
    for fusion, other in (("rgb", NORMALS), ("nv", RGB)):
        config = replace(SMALL, fusion=fusion)
        model, tokens = lively(config).float(), random_tokens()
        before = token_distances(config, tokens, model(tokens))
        tokens[other] = torch.full_like(tokens[other], math.nan)
        assert torch.equal(token_distances(config, tokens, model(tokens)), before)


def test_the_shared_prototypes_carry_either_modality_into_the_other() -> None:
    for fusion in ("ucp", "concat"):
        model, tokens = lively(replace(SMALL, fusion=fusion)).float(), random_tokens()
        before = model(tokens).decoded[RGB]
        tokens[NORMALS] = random_tokens(9)[NORMALS]
        assert (model(tokens).decoded[RGB] - before).abs().max() > 1e-3


def test_no_weights_make_a_stage_copy_its_query() -> None:
    """M prototypes leave a head M - 1 degrees of freedom: the output moves in few directions.

    The Jacobian of an output token in its query has rank at most heads x (M - 1), below D; a copy,
    whose Jacobian is the identity, would need rank D. Any residual over the query gives it.
    """
    config = CprnConfig(dim=24, heads=2, layers=1, prototypes=4)
    for seed in range(5):
        stage = lively(config, seed).decode[RGB][0]
        prototypes = torch.randn(1, 4, 24, dtype=torch.float64)
        query = torch.randn(24, dtype=torch.float64)
        jacobian = torch.autograd.functional.jacobian(
            lambda q, stage=stage, p=prototypes: stage(q[None, None], p)[0, 0], query
        )
        rank = torch.linalg.matrix_rank(jacobian, rtol=1e-9).item()
        assert 1 <= rank <= 2 * (4 - 1)


def test_training_separates_a_token_that_the_normal_ones_do_not_explain() -> None:
    torch.manual_seed(0)
    config = CprnConfig(dim=16, heads=2, layers=2, prototypes=3)
    kinds = torch.randn(3, 16)

    def draw(count: int) -> dict[str, torch.Tensor]:
        pick = torch.randint(0, 3, (count, 12))
        base = kinds[pick][:, None].expand(-1, 2, -1, -1)
        return {m: base + 0.1 * torch.randn(count, 2, 12, 16) for m in (RGB, NORMALS)}

    model = Cprn(config)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(150):
        batch = draw(16)
        optimiser.zero_grad()
        total_loss(config, batch, model(batch))["total"].backward()
        optimiser.step()
    test = draw(20)
    test[RGB][:, :, 0] = torch.randn(20, 2, 16)  # the first token of each image is foreign
    with torch.inference_mode():
        scores = token_distances(config, test, model(test))
    assert scores[:, 0].mean() > 3 * scores[:, 1:].mean()


def test_the_distance_is_zero_for_equal_and_two_for_opposite_vectors() -> None:
    x = torch.randn(7, D)
    torch.testing.assert_close(cosine_distance(x, 3 * x), torch.zeros(7), atol=1e-6, rtol=0)
    torch.testing.assert_close(cosine_distance(x, -x), torch.full((7,), 2.0), atol=1e-6, rtol=0)


def test_an_image_scores_the_same_alone_and_in_company() -> None:
    model, tokens = lively(SMALL).float(), random_tokens()
    together = token_distances(SMALL, tokens, model(tokens))
    for i in range(B):
        one = {m: t[i : i + 1] for m, t in tokens.items()}
        torch.testing.assert_close(token_distances(SMALL, one, model(one))[0], together[i])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fusion": "sum"}, "ucp, concat, rgb, nv"),
        ({"heads": 3}, "do not divide"),
        ({"prototypes": 0}, "not positive"),
        ({"loss": "mse"}, "layers, paper"),
    ],
)
def test_a_wrong_configuration_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(SMALL, **change)


def test_tokens_that_do_not_fit_are_refused() -> None:
    model, tokens = Cprn(SMALL), random_tokens()
    with pytest.raises(InputError, match="needs these tokens"):
        model({RGB: tokens[RGB]})
    with pytest.raises(InputError, match="do not fit"):
        model({RGB: tokens[RGB][:, :2], NORMALS: tokens[NORMALS]})
