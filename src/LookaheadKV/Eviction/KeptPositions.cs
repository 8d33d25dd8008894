using System.Text.Json;
using LookaheadKV.Files;
using LookaheadKV.Models;

namespace LookaheadKV.Eviction;

/// <summary>The positions that a policy kept of one prompt, as plain data: to write, to read, to replay, to compare, to hand to another engine.</summary>
/// <param name="Policy">What kept them.</param>
/// <param name="Budget">At which budget, as written; null where nothing was evicted.</param>
/// <param name="Length">N, the prompt's tokens.</param>
/// <param name="Layers">Kept positions, [L][G][n], increasing.</param>
public sealed record KeptPositions(string Policy, string? Budget, int Length, IReadOnlyList<IReadOnlyList<IReadOnlyList<long>>> Layers)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    /// <summary>Positions kept, mean over layers and heads.</summary>
    public double MeanCount => Layers.Average(heads => heads.Average(head => (double)head.Count));

    /// <summary>Reads a file that <c>lookahead keep</c> or <see cref="Save"/> wrote.</summary>
    /// <exception cref="InputException">The file is missing, damaged, or its positions are not increasing within the prompt.</exception>
    public static KeptPositions Load(string path)
    {
        if (!File.Exists(path))
            throw new InputException($"{path}: no such file; write it with `lookahead keep --out {path}`.");
        var kept = JsonFile.Read<KeptPositions>(path, "a file of kept positions, as `lookahead keep` writes it", Json);
        if (
            kept is not { Layers.Count: > 0, Length: > 0 }
            || kept.Layers.Any(heads => heads is not { Count: > 0 } || heads.Contains(null!))
        )
            throw new InputException($"{path}: \"length\" or \"layers\" is missing or empty; write the file with `lookahead keep`.");
        return kept.Fault() is { } fault ? throw new InputException($"{path}: {fault}; correct the file.") : kept;
    }

    /// <summary>Writes the positions as JSON.</summary>
    public void Save(string path) => AtomicFile.WriteText(path, JsonSerializer.Serialize(this, Json) + "\n");

    /// <summary>Refuses a prompt or model that these positions are not of.</summary>
    /// <exception cref="InputException">Length, layers or heads differ, or positions do not increase within the prompt.</exception>
    public void Require(int promptLength, DecoderConfig config)
    {
        if (promptLength != Length)
            throw new InputException(
                $"the kept positions are of a prompt of {Length} tokens, this one has {promptLength}; give the same prompt."
            );
        if (Layers.Count != config.Layers || Layers.Any(heads => heads.Count != config.KeyValueHeads))
            throw new InputException(
                $"the kept positions are of {Layers.Count} layers of {Layers[0].Count} kv heads, the model has {config.Layers} of {config.KeyValueHeads}; give the same model."
            );
        if (Fault() is { } fault)
            throw new InputException($"kept positions, {fault}; give each once, in order.");
    }

    /// <summary>
    /// The same set rounded outwards to whole blocks of successive positions, as paged engines hold them: every block that held a kept position is
    /// kept whole.
    /// </summary>
    /// <param name="size">Positions a block, ≥ 1.</param>
    /// <exception cref="InputException">The size is below 1.</exception>
    public KeptPositions RoundToBlocks(int size) =>
        size < 1
            ? throw NoBlocks(size)
            : this with
            {
                Layers =
                [
                    .. Layers.Select(heads =>
                        (IReadOnlyList<IReadOnlyList<long>>)
                            [.. heads.Select(head => (IReadOnlyList<long>)[.. Blocks(head, size).SelectMany(Whole)])]
                    ),
                ],
            };

    /// <summary>Numbers of the blocks that hold kept positions, [L][G][blocks].</summary>
    /// <param name="size">Positions a block, ≥ 1.</param>
    /// <exception cref="InputException">The size is below 1.</exception>
    public IReadOnlyList<IReadOnlyList<IReadOnlyList<long>>> BlockTables(int size) =>
        size < 1
            ? throw NoBlocks(size)
            :
            [
                .. Layers.Select(heads =>
                    (IReadOnlyList<IReadOnlyList<long>>)
                        [.. heads.Select(head => (IReadOnlyList<long>)[.. Blocks(head, size).Select(b => b.Number)])]
                ),
            ];

    /// <summary>How two sets of one prompt differ, a layer and head each.</summary>
    /// <exception cref="InputException">They are of prompts or models of different shape.</exception>
    public IReadOnlyList<KeptDifference> DifferencesTo(KeptPositions other)
    {
        if (other.Length != Length || !other.Layers.Select(h => h.Count).SequenceEqual(Layers.Select(h => h.Count)))
            throw new InputException(
                $"kept sets of different prompts or models cannot be compared: {Length} tokens in {Layers.Count} layers, and {other.Length} in {other.Layers.Count}."
            );
        return
        [
            .. from layer in Enumerable.Range(0, Layers.Count)
            from head in Enumerable.Range(0, Layers[layer].Count)
            let left = Layers[layer][head]
            let right = other.Layers[layer][head]
            select new KeptDifference(layer, head, left.Intersect(right).Count(), [.. left.Except(right)], [.. right.Except(left)]),
        ];
    }

    private string? Fault()
    {
        foreach (var (layer, heads) in Layers.Index())
        foreach (var (head, positions) in heads.Index())
        {
            var before = -1L;
            foreach (var position in positions)
            {
                if (position <= before || position >= Length)
                    return $"layer {layer}, head {head}: position {position} after {before} is not increasing within 0..{Length - 1}";
                before = position;
            }
        }
        return null;
    }

    private static InputException NoBlocks(int size) => new($"block size {size} is below 1; paged engines use 16 or so.");

    private IEnumerable<(long Number, int Size)> Blocks(IReadOnlyList<long> head, int size) =>
        head.Select(position => position / size).Distinct().Select(number => (number, size));

    private IEnumerable<long> Whole((long Number, int Size) block)
    {
        for (var position = block.Number * block.Size; position < Math.Min(Length, (block.Number + 1) * block.Size); position++)
            yield return position;
    }
}

/// <summary>How two kept sets differ in one layer and head.</summary>
/// <param name="Layer">0..L-1.</param>
/// <param name="Head">0..G-1.</param>
/// <param name="Shared">Positions in both.</param>
/// <param name="OnlyLeft">Positions in the first alone, increasing.</param>
/// <param name="OnlyRight">Positions in the second alone, increasing.</param>
public sealed record KeptDifference(int Layer, int Head, int Shared, IReadOnlyList<long> OnlyLeft, IReadOnlyList<long> OnlyRight)
{
    /// <summary>|A ∩ B| / |A ∪ B|; 1 where both are empty.</summary>
    public double Jaccard => Shared + OnlyLeft.Count + OnlyRight.Count is var all and > 0 ? (double)Shared / all : 1;
}
