using LookaheadKV.Models;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Scoring;

/// <summary>Random rows as tensors and as plain arrays, and attention by its definition, a row and a head at a time.</summary>
internal sealed class PlainRows
{
    private readonly double[][][][] _queries; // [B][H][N][D]
    private readonly double[][][][] _keys; // [B][G][N][D]

    public PlainRows(int seed, int batch, int heads, int kvHeads, int length, int size)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator((ulong)seed, CPU);
        Tensor Rows(int h) => randn([batch, h, length, size], generator: generator);
        Tensors = new(Rows(heads).DetachFromDisposeScope(), Rows(kvHeads).DetachFromDisposeScope(), Rows(kvHeads).DetachFromDisposeScope());
        (Batch, Heads, KvHeads, Length) = (batch, heads, kvHeads, length);
        (_queries, _keys) = (Plain(Tensors.Queries), Plain(Tensors.Keys));
    }

    public int Batch { get; }
    public int Heads { get; }
    public int KvHeads { get; }
    public int Length { get; }
    public LayerRows Tensors { get; }

    /// <summary>Rows first..first+count-1.</summary>
    public LayerRows Part(long first, long count) =>
        new(Tensors.Queries.narrow(2, first, count), Tensors.Keys.narrow(2, first, count), Tensors.Values.narrow(2, first, count));

    public double[] Key(int b, int g, int j) => _keys[b][g][j];

    /// <summary>The weights [N] that row i of query head h gives the entries 0..i; 0 behind them.</summary>
    public double[] Attention(int b, int h, int i)
    {
        var query = _queries[b][h][i];
        var keys = _keys[b][h / (Heads / KvHeads)];
        double[] powers = [.. keys.Take(i + 1).Select(key => Math.Exp(key.Zip(query, (k, q) => k * q).Sum() / Math.Sqrt(query.Length)))];
        return [.. powers.Select(p => p / powers.Sum()), .. new double[Length - i - 1]];
    }

    /// <summary>Scores [B,heads,n], each from its indices, beside the tensor's.</summary>
    public static double Distance(Tensor scores, int batch, int heads, int length, Func<int, int, int, double> expected)
    {
        if (!scores.shape.SequenceEqual([batch, heads, length]))
            throw new ArgumentException($"scores [{string.Join(", ", scores.shape)}] instead of [{batch}, {heads}, {length}]");
        var actual = scores.to(ScalarType.Float64).contiguous().data<double>().ToArray();
        var worst = 0.0;
        for (var i = 0; i < actual.Length; i++)
        {
            var distance = Math.Abs(actual[i] - expected(i / length / heads, i / length % heads, i % length));
            worst = distance <= worst ? worst : distance; // NaN is worst
        }
        return worst;
    }

    private static double[][][][] Plain(Tensor rows)
    {
        using var scope = NewDisposeScope();
        var (heads, length, size) = ((int)rows.size(1), (int)rows.size(2), (int)rows.size(3));
        var flat = rows.to(ScalarType.Float64).contiguous().data<double>().ToArray();
        return [.. flat.Chunk(heads * length * size).Select(b => b.Chunk(length * size).Select(h => h.Chunk(size).ToArray()).ToArray())];
    }
}
