using static TorchSharp.torch;

namespace LookaheadKV.Runtime;

/// <summary>
/// ATen operators that TorchSharp does not bind, reached through one TorchScript compilation unit per process.
/// </summary>
internal static class Operators
{
    private const string Source = """
        def causal_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            return torch.scaled_dot_product_attention(q, k, v, None, 0.0, True, scale=None, enable_gqa=True)

        def embedding(table: Tensor, ids: Tensor) -> Tensor:
            return torch.embedding(table, ids)

        def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
            return torch.rms_norm(x, [x.size(-1)], weight, eps)

        def swiglu(x: Tensor, gate: Tensor, up: Tensor) -> Tensor:
            return torch.silu(torch.linear(x, gate)) * torch.linear(x, up)

        def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
            a, b = x.chunk(2, -1)
            return x * cos + torch.cat([-b, a], -1) * sin

        def segments(q: Tensor, keys: Tensor, values: Tensor, stored: Tensor, starts: Tensor, lengths: Tensor, rows: Tensor, masked: bool) -> Tensor:
            first: List[int] = starts.tolist()
            count: List[int] = lengths.tolist()
            out: List[Tensor] = []
            for s in range(q.size(0)):
                k = keys.narrow(0, first[s], count[s])[None, None]
                v = values.narrow(0, first[s], count[s])[None, None]
                if masked:
                    at = stored.narrow(0, first[s], count[s])[None, :]
                    visible = (at >= 0) & (at <= rows[s][:, None])
                    out.append(torch.scaled_dot_product_attention(q[s][None, None], k, v, visible[None, None]))
                else:
                    out.append(torch.scaled_dot_product_attention(q[s][None, None], k, v))
            return torch.cat(out, 1)
        """;

    private static readonly Lazy<jit.CompilationUnit> Unit = new(() => jit.compile(Source + "\n"));

    /// <summary>Fused causal attention of equally many queries and keys; key/value heads may be fewer than query heads.</summary>
    public static Tensor CausalAttention(Tensor q, Tensor k, Tensor v) => Call("causal_attention", q, k, v);

    /// <summary>Rows of a table [V,E] by ids [B,T] (int64): [B,T,E].</summary>
    public static Tensor Embedding(Tensor table, Tensor ids) => Call("embedding", table, ids);

    /// <summary>Root-mean-square normalisation over the last dimension.</summary>
    public static Tensor RmsNorm(Tensor x, Tensor weight, double epsilon) => Call("rms_norm", x, weight, epsilon);

    /// <summary><c>silu(x·gateᵀ) ∘ (x·upᵀ)</c>.</summary>
    public static Tensor SwiGlu(Tensor x, Tensor gate, Tensor up) => Call("swiglu", x, gate, up);

    /// <summary>Rotary embedding, half-split (Llama) convention: <c>x∘cos + rotate_half(x)∘sin</c>.</summary>
    public static Tensor Rotate(Tensor x, Tensor cos, Tensor sin) => Call("rotate", x, cos, sin);

    /// <summary>
    /// Attention of segments, each to its own entries: rows [S,R,D] over keys, values [Σ,D] of which segment s has <c>lengths[s]</c> from
    /// <c>starts[s]</c> (int64 [S] on the CPU). With <paramref name="rows"/> [S,R] a row sees the entries whose position is 0 or more and at most its own.
    /// </summary>
    public static Tensor SegmentAttention(
        Tensor q,
        Tensor keys,
        Tensor values,
        Tensor positions,
        Tensor starts,
        Tensor lengths,
        Tensor? rows
    ) => Call("segments", q, keys, values, positions, starts, lengths, rows ?? positions, rows is not null);

    private static Tensor Call(string name, params object[] arguments) => ScriptCall.Invoke(Unit.Value, name, arguments);
}
