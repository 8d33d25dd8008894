using static LookaheadKV.Models.LinearName;

namespace LookaheadKV.Models;

/// <summary>How the operators under a layer write.</summary>
internal enum LayerWriting
{
    /// <summary>Out of place: gradients flow through it. Low-rank pairs are a map's own, their scale behind the product.</summary>
    Differentiable,

    /// <summary>In place, for operators that run one by one: the least memory traffic.</summary>
    InPlace,

    /// <summary>Pointwise ones as plain expressions, for the compiler that merges them into one kernel each.</summary>
    Mergeable,
}

/// <summary>
/// The operators that <see cref="DecoderLayer"/> is written over, as TorchScript: norm, maps and their sums, rotation, gating. A text of leaves has them all, in one
/// <see cref="LayerWriting"/>, and maps that read the same rows either apart, so that what they give has storage of its own, or as one product.
/// </summary>
/// <remarks>
/// Where maps are one product, the rotation takes a sine whose first half carries the minus: the fewest operators for few rows. Functions that write in place
/// return what they wrote.
/// </remarks>
internal static class LayerLeaves
{
    public static string Source(LayerForm form, LayerWriting writing, bool joined) =>
        Common(form, apart: !joined && writing == LayerWriting.Differentiable)
        + (
            (writing, joined) switch
            {
                (LayerWriting.Differentiable, false) => OwnPairs + PureSums + Apart + Rotated,
                (LayerWriting.Differentiable, true) => NoPairs + PureSums + Joined + CutOnce + Rolled,
                (LayerWriting.InPlace, false) => SumsInPlace(form) + JoinedPairs + Apart + RotatedInPlace,
                (LayerWriting.InPlace, true) => SumsInPlace(form) + RowProducts + Joined + CutInViews + Rolled,
                (_, false) => SumsInPlace(form) + JoinedPairs + Apart + RotatedMergeable,
                (_, true) => SumsInPlace(form) + RowProducts + Joined + CutInViews + RolledMergeable,
            }
        )
        + Gating(writing, joined);

    // A bias is part of its product, but with gradients, where the product is rounded before it: so the modules on record were trained.
    private static string Common(LayerForm form, bool apart) =>
        $$"""
            def norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
                return torch.rms_norm(x, [x.size(-1)], weight, eps)

            def heads(x: Tensor, cos: Tensor) -> Tensor:
                return x.view([-1, cos.size(-3), x.size(-1) // cos.size(-1), cos.size(-1)])

            def linear(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
                if {{form.Biased}}:
                    if b.numel() > 0:
                        return {{(apart ? "torch.linear(x, w).add_(b)" : "torch.linear(x, w, b)")}}
                return torch.linear(x, w)


            """;

    private const string PureSums = """
        def add(x: Tensor, y: Tensor) -> Tensor:
            return x + y

        def add_mapped(x: Tensor, y: Tensor, w: List[Tensor], pairs: List[Tensor], i: int, n: int, threads: int) -> Tensor:
            return x + mapped(y, w, pairs, i, n, threads)


        """;

    private static string SumsInPlace(LayerForm form) =>
        $$"""
            def add(x: Tensor, y: Tensor) -> Tensor:
                return x.add_(y)

            def add_linear(y: Tensor, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
                if {{form.Biased}}:
                    if b.numel() > 0:
                        return y.add_(torch.linear(x, w, b))
                return y.addmm_(x, w.t())


            """;

    // Of the layer's maps, a map at a time or several that read the same rows.

    private const string OwnPairs = """
        def own(x: Tensor, w: List[Tensor], pairs: List[Tensor], i: int) -> Tensor:
            y = linear(x, w[2 * i], w[2 * i + 1])
            if pairs[3 * i].numel() > 0:
                low = torch.linear(torch.linear(x, pairs[3 * i].to(x.dtype)), pairs[3 * i + 1].to(x.dtype))
                y = y + low * float(pairs[3 * i + 2])
            return y

        def share(ys: List[Tensor], x: Tensor, pairs: List[Tensor], i: int, n: int):
            pass

        def mapped(x: Tensor, w: List[Tensor], pairs: List[Tensor], i: int, n: int, threads: int) -> Tensor:
            return own(x, w, pairs, i)


        """;

    private const string NoPairs = """
        def mapped(x: Tensor, w: List[Tensor], pairs: List[Tensor], i: int, n: int, threads: int) -> Tensor:
            return linear(x, w[2 * i], w[2 * i + 1])


        """;

    private const string JoinedPairs = """
        def own(x: Tensor, w: List[Tensor], pairs: List[Tensor], i: int) -> Tensor:
            return linear(x, w[2 * i], w[2 * i + 1])

        def share(ys: List[Tensor], x: Tensor, pairs: List[Tensor], i: int, n: int):
            # maps that read the same rows: one product for all A, one more for each B
            if n > 0 and pairs[3 * i].numel() > 0:
                low = torch.linear(x.narrow(0, x.size(0) - n, n), pairs[3 * i])
                first = 0
                for y in ys:
                    b = pairs[3 * i + 1].narrow(0, first, y.size(1))
                    y.narrow(0, y.size(0) - n, n).addmm_(low, b.t())
                    first += y.size(1)

        def mapped(x: Tensor, w: List[Tensor], pairs: List[Tensor], i: int, n: int, threads: int) -> Tensor:
            y = own(x, w, pairs, i)
            share([y], x, pairs, i, n)
            return y

        def add_mapped(x: Tensor, y: Tensor, w: List[Tensor], pairs: List[Tensor], i: int, n: int, threads: int) -> Tensor:
            add_linear(x, y, w[2 * i], w[2 * i + 1])
            share([x], y, pairs, i, n)
            return x


        """;

    // BLAS gives a product with one row a single thread, and a batch of such products as many as there are.
    private const string RowProducts = """
        def row_product(x: Tensor, w: Tensor, threads: int) -> Tensor:
            parts = threads
            while w.size(0) % parts != 0:
                parts -= 1
            if parts == 1:
                return torch.linear(x, w)
            return torch.bmm(x.unsqueeze(0).expand([parts, 1, -1]), w.view([parts, -1, w.size(1)]).transpose(1, 2)).view([1, -1])

        def mapped(x: Tensor, w: List[Tensor], pairs: List[Tensor], i: int, n: int, threads: int) -> Tensor:
            if threads == 1:
                return linear(x, w[2 * i], w[2 * i + 1])
            y = row_product(x, w[2 * i], threads)
            return y if w[2 * i + 1].numel() == 0 else y.add_(w[2 * i + 1])

        def add_mapped(x: Tensor, y: Tensor, w: List[Tensor], pairs: List[Tensor], i: int, n: int, threads: int) -> Tensor:
            if threads == 1:
                return add_linear(x, y, w[2 * i], w[2 * i + 1])
            return x.add_(mapped(y, w, pairs, i, n, threads))


        """;

    // Of maps that read the same rows.

    private static readonly string Apart = $$"""
        def query_key_value(a: Tensor, w: List[Tensor], pairs: List[Tensor], n: int, cos: Tensor, g: int, threads: int) -> Tuple[Tensor, Tensor, Tensor]:
            q, k, v = own(a, w, pairs, {{Query:d}}), own(a, w, pairs, {{Key:d}}), own(a, w, pairs, {{Value:d}})
            share([q, k, v], a, pairs, {{Query:d}}, n)
            return heads(q, cos), heads(k, cos), heads(v, cos)

        def apart(q: Tensor, k: Tensor, g: int) -> Tuple[Tensor, Tensor]:
            return q, k

        def rotate_both(q: Tensor, k: Tensor, g: int, cos: Tensor, sin: Tensor) -> Tuple[Tensor, Tensor]:
            return rotate(q, cos, sin), rotate(k, cos, sin)

        def gate_and_up(a: Tensor, w: List[Tensor], pairs: List[Tensor], n: int, threads: int) -> Tuple[Tensor, Tensor]:
            gate, up = own(a, w, pairs, {{Gate:d}}), own(a, w, pairs, {{Up:d}})
            share([gate, up], a, pairs, {{Gate:d}}, n)
            return gate, up


        """;

    private static readonly string Joined = $$"""
        def query_key_value(a: Tensor, w: List[Tensor], pairs: List[Tensor], n: int, cos: Tensor, g: int, threads: int) -> Tuple[Tensor, Tensor, Tensor]:
            y = heads(mapped(a, w, pairs, {{Query:d}}, n, threads), cos)
            both, v = cut(y, y.size(-2) - g, -2)
            return both, both, v

        def apart(both: Tensor, same: Tensor, g: int) -> Tuple[Tensor, Tensor]:
            return cut(both, both.size(-2) - g, -2)

        def rotate_both(both: Tensor, same: Tensor, g: int, cos: Tensor, sin: Tensor) -> Tuple[Tensor, Tensor]:
            return cut(rotate(both, cos, sin), both.size(-2) - g, -2)

        def gate_and_up(a: Tensor, w: List[Tensor], pairs: List[Tensor], n: int, threads: int) -> Tuple[Tensor, Tensor]:
            y = mapped(a, w, pairs, {{Gate:d}}, n, threads)
            return cut(y, y.size(-1) // 2, -1)


        """;

    private const string CutInViews = """
        def cut(x: Tensor, first: int, dim: int) -> Tuple[Tensor, Tensor]:
            return x.narrow(dim, 0, first), x.narrow(dim, first, x.size(dim) - first)


        """;

    // Its gradient is one concatenation.
    private const string CutOnce = """
        def cut(x: Tensor, first: int, dim: int) -> Tuple[Tensor, Tensor]:
            parts = torch.split_with_sizes(x, [first, x.size(dim) - first], dim)
            return parts[0], parts[1]


        """;

    // Rotary positions, half-split convention: x∘cos + rotate_half(x)∘sin.

    private const string Rotated = """
        def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
            a, b = x.chunk(2, -1)
            return x * cos + torch.cat([-b, a], -1) * sin


        """;

    private const string RotatedInPlace = """
        def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
            half = x.size(-1) // 2
            y = x * cos
            s = sin.narrow(-1, 0, half)
            y.narrow(-1, 0, half).addcmul_(x.narrow(-1, half, half), s, value=-1)
            y.narrow(-1, half, half).addcmul_(x.narrow(-1, 0, half), s)
            return y


        """;

    private const string RotatedMergeable = """
        def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
            half = x.size(-1) // 2
            return x * cos + torch.cat([-x.narrow(-1, half, half), x.narrow(-1, 0, half)], -1) * sin


        """;

    private const string Rolled = """
        def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
            return torch.addcmul(x * cos, torch.roll(x, [x.size(-1) // 2], [-1]), sin)


        """;

    private const string RolledMergeable = """
        def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
            half = x.size(-1) // 2
            return x * cos + torch.cat([x.narrow(-1, half, half), x.narrow(-1, 0, half)], -1) * sin


        """;

    private static string Gating(LayerWriting writing, bool joined) =>
        $"""
            def gate_up(gate: Tensor, up: Tensor) -> Tensor:
                return {(writing, joined) switch
                {
                    (LayerWriting.InPlace, false) => "torch.silu_(gate).mul_(up)",
                    (LayerWriting.InPlace, true) => "torch.silu(gate).mul_(up)",
                    _ => "torch.silu(gate) * up",
                }}


            """;
}
