using LookaheadKV.Cache;
using LookaheadKV.Models;
using LookaheadKV.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace LookaheadKV.Passes;

/// <summary>
/// How every answer is written: choose a token, hand it out, and append it to the cache only when another one is wanted, until an end token (handed out
/// too) or the limit. What chooses and what appends is the caller's.
/// </summary>
public static class DecodingLoop
{
    // Looking at tokens that a GPU has chosen makes the host wait for it: steps between two looks.
    private const int StepsUnseenOnGpu = 16;

    /// <summary>
    /// The most tokens that an answer can have. The k-th is chosen at position <paramref name="seen"/> + k - 1, which must lie within the context, and needs those
    /// before it in the cache, but not itself: an answer may be one token longer than the room.
    /// </summary>
    /// <param name="maxNewTokens">What was asked for.</param>
    /// <param name="context">The model's context.</param>
    /// <param name="seen">Tokens before the answer, whether or not the cache still holds them.</param>
    /// <param name="room">Entries that the cache has room for behind those tokens; below 0 where not even they fit.</param>
    /// <returns>0 or more.</returns>
    public static int Limit(int maxNewTokens, long context, long seen, long room = int.MaxValue) =>
        (int)Math.Max(0, Math.Min(maxNewTokens, Math.Min(context - seen, room + 1)));

    /// <summary>The limit of each row of a cache.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="cache">The cache.</param>
    /// <param name="maxNewTokens">What was asked for.</param>
    /// <param name="pending">Tokens a row that must be appended first.</param>
    public static IReadOnlyList<int> Limits(Decoder decoder, KeyValueCache cache, int maxNewTokens, int pending = 0)
    {
        var room = cache.Layers.Min(layer => layer.Room) - pending;
        return [.. cache.LogicalLengths.Select(seen => Limit(maxNewTokens, decoder.Config.MaxPositions, seen + pending, room))];
    }

    /// <summary>The greedy answer over the cache of one prompt whose next token is known.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="cache">The cache; all tokens of the answer but the last are appended to it.</param>
    /// <param name="first">The answer's first token.</param>
    /// <param name="maxNewTokens">Longest answer; also limited by the context and by the cache's room (<see cref="Limit"/>).</param>
    /// <param name="onLayer">Receives what <see cref="Decoding.Extend"/> gives it, a token at a time.</param>
    /// <param name="cancellation">Looked at before every token.</param>
    /// <param name="execution">How the steps run; default compiled.</param>
    /// <returns>The answer's tokens, the end token included where it is reached.</returns>
    public static IEnumerable<int> Greedy(
        Decoder decoder,
        KeyValueCache cache,
        int first,
        int maxNewTokens,
        Action<int, LayerRows>? onLayer = null,
        CancellationToken cancellation = default,
        Execution? execution = null
    )
    {
        Tensor? next = null;
        var limits = Limits(decoder, cache, maxNewTokens);
        var steps = Run(limits, decoder.Config.EndTokens, _ => next ?? decoder.Ids([first]), Append, null, 1, cancellation);
        return steps.Select(step => step[0]!.Value);

        void Append(Tensor tokens)
        {
            using var noGrad = no_grad();
            next = Decoding.Extend(decoder, cache, tokens, onLayer, execution).argmax(-1);
        }
    }

    /// <summary>How many steps of a batch may go by before the host looks at their tokens.</summary>
    internal static int StepsUnseen(Device device) => device.type == DeviceType.CUDA ? StepsUnseenOnGpu : 1;

    /// <summary>Runs the loop, for one row or several in step.</summary>
    /// <param name="limits">The most tokens of each row. A row that has ended waits: further tokens of it are chosen and appended with the others', and dropped.</param>
    /// <param name="ends">Tokens that end a row's answer.</param>
    /// <param name="choose">Chooses each row's token number 0, 1, …: [B,1] (int64), wherever it likes.</param>
    /// <param name="append">Appends tokens that <paramref name="choose"/> chose, before it is called again, in the same scope.</param>
    /// <param name="pending">Tokens [B,1] that were handed out before and are to be appended first; null: none. They stay the caller's.</param>
    /// <param name="unseen">Steps between two looks at the tokens; so many steps may be taken in vain at the end.</param>
    /// <param name="cancellation">Looked at before every step.</param>
    /// <returns>Step by step the token of each row; null for a row that has ended.</returns>
    internal static IEnumerable<int?[]> Run(
        IReadOnlyList<int> limits,
        IReadOnlyCollection<int> ends,
        Func<int, Tensor> choose,
        Action<Tensor> append,
        Tensor? pending,
        int unseen,
        CancellationToken cancellation
    )
    {
        var ended = limits.Select(limit => limit == 0).ToArray();
        var counts = new int[limits.Count];
        var waiting = new List<Tensor>(); // chosen, and not looked at yet
        var last = pending; // not appended yet
        try
        {
            for (var step = 0; step < limits.Max(); step++)
            {
                cancellation.ThrowIfCancellationRequested();
                Next(step);
                if (waiting.Count < unseen && step < limits.Max() - 1)
                    continue;
                foreach (var tokens in Look())
                {
                    yield return HandOut(tokens);
                    if (ended.All(row => row))
                        yield break;
                }
            }
        }
        finally
        {
            Forget([.. waiting, last]);
        }

        // No scope is open while the caller has the tokens: what it makes then is its own.
        void Next(int step)
        {
            using var scope = NewDisposeScope();
            var before = last;
            if (before is not null)
                append(before);
            waiting.Add(last = choose(step).DetachFromDisposeScope());
            if (waiting is [_])
                Forget(before);
        }

        // The tokens of the steps that wait, a step at a time.
        IEnumerable<long[]> Look()
        {
            using var scope = NewDisposeScope();
            var seen = cat([.. waiting], 1).cpu().transpose(0, 1).contiguous().data<long>().ToArray(); // [steps,B]
            Forget([.. waiting.SkipLast(1)]);
            waiting.Clear();
            return seen.Chunk(limits.Count);
        }

        int?[] HandOut(long[] tokens)
        {
            var said = tokens.Select((token, row) => ended[row] ? (int?)null : (int)token).ToArray();
            foreach (var (row, token) in said.Index())
                ended[row] |= token is { } id && (ends.Contains(id) || ++counts[row] == limits[row]);
            return said;
        }

        void Forget(params IEnumerable<Tensor?> tokens)
        {
            foreach (var own in tokens.Where(own => !ReferenceEquals(own, pending)))
                own?.Dispose();
        }
    }
}
