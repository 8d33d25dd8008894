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

    private static Tensor Call(string name, params object[] arguments) => ScriptCall.Invoke(Unit.Value, name, arguments);
}
