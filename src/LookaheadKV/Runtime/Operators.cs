using TorchSharp;
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

        def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
            a, b = x.chunk(2, -1)
            return x * cos + torch.cat([-b, a], -1) * sin

        def versions(tensors: List[Tensor]) -> int:
            total = 0
            for tensor in tensors:
                total += torch._version(tensor)
            return total

        def attention_rows(q: Tensor, k: Tensor, first: int, scale: float) -> Tensor:
            b, h, r, d = q.size(0), q.size(1), q.size(2), q.size(3)
            g, n = k.size(1), k.size(2)
            # products of half-precision numbers, summed and written in float32 (dtype 6)
            logits = torch.empty([b * g, h // g * r, n], dtype=6, device=q.device)
            torch.baddbmm(logits, q.reshape([b * g, h // g * r, d]), k.flatten(0, 1).transpose(1, 2), 6, beta=0, alpha=scale, out=logits)
            logits = logits.view([b, h, r, n])
            later = n - first - 1
            if later > 0:
                unseen = torch.ones([r, later], dtype=11, device=q.device).triu()
                logits.narrow(3, first + 1, later).masked_fill_(unseen, -float("inf"))
            # in place: half the memory, most of which a GPU's cache then holds
            return torch.softmax(logits, -1, None, out=logits)

        def gather_rows(keys: Tensor, values: Tensor, positions: Tensor, new_keys: Tensor, new_values: Tensor, new_positions: Tensor) -> Tensor:
            index = positions.unsqueeze(-1).expand([-1, -1, -1, keys.size(3)])
            torch.gather(keys, 2, index, out=new_keys)
            torch.gather(values, 2, index, out=new_values)
            return new_positions.copy_(positions)

        def ragged(q: Tensor, keys: Tensor, values: Tensor, starts: Tensor, ends: Tensor, longest: int) -> Tensor:
            # every segment is a sequence of one row whose query heads share one key/value head
            s = q.size(0)
            rows = torch.arange(s + 1, dtype=3, device=q.device)
            used = (ends - starts.narrow(0, 0, s)).int()
            return torch._flash_attention_forward(q, keys.unsqueeze(1), values.unsqueeze(1), rows, starts.int(), 1, longest, 0.0, False, False, seqused_k=used)[0]

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

    /// <summary>Whether the flash operators take such rows: half precision on CUDA, head sizes up to 256.</summary>
    public static bool HasFlash(Tensor rows) => HasFlash(rows.device, rows.dtype, rows.size(-1));

    /// <summary>Whether they take rows of such a device, type and head size.</summary>
    public static bool HasFlash(Device device, ScalarType dtype, long headSize) =>
        device.type == DeviceType.CUDA && dtype is ScalarType.BFloat16 or ScalarType.Float16 && headSize % 8 == 0 && headSize <= 256;

    /// <summary>One row of queries a segment, [S,M,D], over the entries of storage [Σ,D] between its start and its end: CUDA, half precision.</summary>
    public static Tensor RaggedAttention(Tensor q, Tensor keys, Tensor values, Tensor starts, Tensor ends, long longest) =>
        Call("ragged", q, keys, values, starts, ends, (int)longest);

    /// <summary>Attention weights [B,H,R,N] in float32 of half-precision queries and keys (CUDA); row i sees the columns up to <paramref name="first"/> + i.</summary>
    public static Tensor AttentionRows(Tensor q, Tensor k, long first, double scale) => Call("attention_rows", q, k, (int)first, scale);

    /// <summary>Copies the entries at positions [B,G,C] of keys, values [B,G,N,D] to where they shall be, of any strides, and the positions beside them.</summary>
    public static void Gather(Tensor keys, Tensor values, Tensor positions, Tensor newKeys, Tensor newValues, Tensor newPositions) =>
        Call("gather_rows", keys, values, positions, newKeys, newValues, newPositions).Dispose();

    /// <summary>A number that grows whenever one of the tensors is written to.</summary>
    public static long Versions(Tensor[] tensors)
    {
        using var sum = (Scalar)ScriptCall.Run(Unit.Value, "versions", [tensors]);
        return sum.ToInt64();
    }

    private static Tensor Call(string name, params object[] arguments) => ScriptCall.Invoke(Unit.Value, name, arguments);
}
