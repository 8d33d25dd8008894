using LookaheadKV.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace LookaheadKV.Attention;

/// <summary>
/// The attention weights of a few query rows, materialised in float32: <c>softmax(q·kᵀ/√D)</c> over every key the row may see.
/// Importance scores are sums and means of these rows; the forward pass itself stays on the fused kernel.
/// </summary>
public static class AttentionRows
{
    /// <summary>
    /// Weights (rows·N·H·B) that are materialised at once where a caller needs only sums or maxima over rows: 64 MiB of float32, whatever N.
    /// A single row is never split.
    /// </summary>
    public const long WeightsAtOnce = 1 << 24;

    /// <summary>The same on a GPU, whose launches cost more than its memory: 512 MiB of float32.</summary>
    public const long WeightsAtOnceOnGpu = 1 << 27;

    /// <summary>Attention weights [B,H,R,N] (float32) of queries whose own keys are columns <paramref name="firstColumn"/>, +1, …</summary>
    /// <param name="queries">Post-RoPE queries [B,H,R,D].</param>
    /// <param name="keys">Post-RoPE keys [B,G,N,D], a column each, in the order of their positions, which need not follow each other.</param>
    /// <param name="firstColumn">Column of the first query row; row i sees columns ≤ firstColumn + i.</param>
    public static Tensor Softmax(Tensor queries, Tensor keys, long firstColumn)
    {
        if (keys.device_type == DeviceType.CUDA && keys.element_size() == 2 && !is_grad_enabled())
            return Operators.AttentionRows(queries, keys, firstColumn, 1 / Math.Sqrt(keys.size(3)));
        using var scope = NewDisposeScope();
        var (b, h, r, d) = (queries.size(0), queries.size(1), queries.size(2), queries.size(3));
        var (g, n) = (keys.size(1), keys.size(2));
        if (h % g != 0)
            throw new ArgumentException($"{h} query heads cannot share {g} key/value heads.");
        var precision = ScorePrecision(keys.dtype);
        var grouped = queries.to(precision).reshape(b, g, h / g * r, d); // [B,H,R,D] → [B,G,(H/G)·R,D]
        // In place from here to the softmax: nothing else of this size is made, and no gradient needs what is overwritten.
        var logits = grouped.matmul(keys.to(precision).transpose(2, 3)).Scale(1.0 / Math.Sqrt(d)).view(b, h, r, n);
        var later = n - firstColumn - 1; // columns that not every row sees
        if (later > 0)
        {
            var unseen = ones([r, later], ScalarType.Bool, keys.device).triu();
            logits.narrow(3, firstColumn + 1, later).Hide(unseen);
        }
        return logits.softmax(-1).MoveToOuterDisposeScope();
    }

    /// <summary>Sum over rows of the attention weights, [B,H,N] (float32); never all rows at once.</summary>
    /// <param name="queries">Post-RoPE queries [B,H,R,D].</param>
    /// <param name="keys">Post-RoPE keys [B,G,N,D], a column each, in the order of their positions, which need not follow each other.</param>
    /// <param name="firstColumn">Column of the first query row.</param>
    /// <param name="chunk">Rows materialised at once, ≥ 1; null: as many as <see cref="WeightsAtOnce"/>, or <see cref="WeightsAtOnceOnGpu"/>, allows.</param>
    /// <param name="weights">Weight of each row in the sum, [B,R]; null weighs every row 1.</param>
    public static Tensor ColumnSums(Tensor queries, Tensor keys, long firstColumn, int? chunk = null, Tensor? weights = null)
    {
        return Fold(queries, keys, firstColumn, chunk, Add);

        void Add(Tensor sums, Tensor attention, long start)
        {
            if (weights is not null)
                attention = attention * weights.narrow(1, start, attention.size(2)).unsqueeze(1).unsqueeze(-1);
            sums.Accumulate(attention.sum(2));
        }
    }

    /// <summary>Maximum over rows of the attention weights, [B,H,N] (float32), 0 where no row sees the column; never all rows at once.</summary>
    /// <param name="queries">Post-RoPE queries [B,H,R,D].</param>
    /// <param name="keys">Post-RoPE keys [B,G,N,D], a column each, in the order of their positions, which need not follow each other.</param>
    /// <param name="firstColumn">Column of the first query row.</param>
    /// <param name="chunk">Rows materialised at once, ≥ 1; null: as many as <see cref="WeightsAtOnce"/>, or <see cref="WeightsAtOnceOnGpu"/>, allows.</param>
    public static Tensor ColumnMaxima(Tensor queries, Tensor keys, long firstColumn, int? chunk = null) =>
        Fold(queries, keys, firstColumn, chunk, (maxima, attention, _) => maxima.copy_(maximum(maxima, attention.amax([2L]))));

    // Rows in chunks; a chunk computes no column behind its last row. `add` gets the columns that its rows see, [B,H,n], their weights [B,H,chunk,n]
    // and the number of its first row.
    private static Tensor Fold(Tensor queries, Tensor keys, long firstColumn, int? chunk, Action<Tensor, Tensor, long> add)
    {
        using var scope = NewDisposeScope();
        var (batch, heads, rows, length) = (queries.size(0), queries.size(1), queries.size(2), keys.size(2));
        var most = chunk ?? Math.Max(1, AtOnce(keys.device) / (batch * heads * length));
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1, nameof(chunk));
        var total = zeros(batch, heads, length, dtype: ScorePrecision(keys.dtype), device: keys.device);
        for (var start = 0L; start < rows; start += most)
        {
            using var inner = NewDisposeScope();
            var count = Math.Min(most, rows - start);
            var seen = Math.Min(length, firstColumn + start + count);
            var attention = Softmax(queries.narrow(2, start, count), keys.narrow(2, 0, seen), firstColumn + start);
            add(total.narrow(-1, 0, seen), attention, start);
        }
        return total.MoveToOuterDisposeScope();
    }

    // Numbers in float32 that may exist at once for the sake of scores.
    internal static long AtOnce(Device device) => device.type == DeviceType.CUDA ? WeightsAtOnceOnGpu : WeightsAtOnce;

    // bfloat16 scores tie in masses, so scores are float32 whatever the model's dtype; float64 stays for numerical checks.
    internal static ScalarType ScorePrecision(ScalarType dtype) => dtype == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32;
}
