using System.Buffers.Binary;
using System.Security.Cryptography;
using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Runtime;

namespace LookaheadKV.Training;

/// <summary>Where the responses come from whose attention is the true importance.</summary>
public interface IResponses
{
    /// <summary>Responses that were generated so far, rather than known.</summary>
    long Generated { get; }

    /// <summary>The response to an example's prompt, 1 token or more.</summary>
    /// <exception cref="InputException">There is none, or the prompt leaves no room for one.</exception>
    int[] Of(LookaheadExample example, CancellationToken cancellation = default);

    /// <summary>What a module is trained on for some examples: the true importance of their responses.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="examples">Examples whose prompts are of one length.</param>
    /// <param name="clock">Told where the time goes.</param>
    /// <param name="cancellation">Looked at before every layer and token.</param>
    /// <param name="execution">How layers run; default compiled.</param>
    /// <exception cref="InputException">There is no response, or a prompt leaves no room for one.</exception>
    LookaheadTarget Target(
        Decoder decoder,
        IReadOnlyList<LookaheadExample> examples,
        StepClock clock,
        CancellationToken cancellation = default,
        Execution? execution = null
    )
    {
        int[][] responses = clock.Decode(() => examples.Select(example => Of(example, cancellation)).ToArray());
        return clock.Target(() =>
            LookaheadTarget.Compute(decoder, [.. examples.Select(e => e.Prompt)], responses, cancellation, execution)
        );
    }
}

/// <summary>The data set's own responses, whether or not the model would have said them.</summary>
/// <param name="MaxResponse">Longer ones are cut there.</param>
public sealed record GivenResponses(int MaxResponse = 512) : IResponses
{
    /// <summary>Longer ones are cut there, 1 or more.</summary>
    /// <exception cref="InputException">It is out of that range.</exception>
    public int MaxResponse
    {
        get;
        init => field = value.AtLeast(1, "longest response:", "the paper takes 512 tokens");
    } = MaxResponse.AtLeast(1, "longest response:", "the paper takes 512 tokens");

    /// <inheritdoc/>
    public long Generated => 0;

    /// <inheritdoc/>
    public int[] Of(LookaheadExample example, CancellationToken cancellation = default) =>
        example.Response.Length > 0
            ? [.. example.Response.Take(MaxResponse)]
            : throw new InputException("an example has no response; give one to every prompt, or let the model answer.");
}

/// <summary>
/// The model's own responses on its full cache. Each depends on the prompt and the settings alone, not on what came before, and is
/// remembered: a run that goes on, or another one on the same prompts, generates nothing twice. Prompts of one length are answered together, and their
/// targets come from the same prefill.
/// </summary>
/// <param name="decoder">The model.</param>
/// <param name="sampling">How tokens are drawn; the seed is mixed with the prompt, so that each prompt has random numbers of its own.</param>
/// <param name="maxResponse">Longest response.</param>
/// <param name="cache">Where they are remembered; null: nowhere.</param>
/// <param name="endTokens">Tokens that end a response, beside those of the model's configuration.</param>
/// <param name="execution">How responses are decoded; default compiled.</param>
public sealed class OwnResponses(
    Decoder decoder,
    SamplingOptions sampling,
    int maxResponse = 512,
    ResponseCache? cache = null,
    IEnumerable<int>? endTokens = null,
    Execution? execution = null
) : IResponses
{
    private readonly int[] _ends = [.. endTokens ?? []];

    /// <inheritdoc/>
    public long Generated { get; private set; }

    /// <inheritdoc/>
    public int[] Of(LookaheadExample example, CancellationToken cancellation = default)
    {
        if (cache?.Find(example.Prompt) is { } known)
            return known;
        var prompt = example.Prompt;
        var room = Room(prompt);
        using var session = Session.Start(decoder, prompt, EvictionPolicy.Full, room, cancellation, execution);
        int[] response = [.. session.Sample(decoder.Config, SamplingOf(prompt), room, _ends, cancellation)];
        Remember(prompt, response);
        return response;
    }

    /// <inheritdoc/>
    public LookaheadTarget Target(
        Decoder _,
        IReadOnlyList<LookaheadExample> examples,
        StepClock clock,
        CancellationToken cancellation = default,
        Execution? __ = null
    )
    {
        int[][] prompts = [.. examples.Select(example => example.Prompt)];
        var room = Room(prompts[0]);
        var session = clock.Prefill(() => BatchSession.StartWhole(decoder, prompts, room, cancellation, execution));
        int[][] responses;
        try
        {
            responses = clock.Decode(() => Together(session, prompts, room, cancellation));
        }
        catch
        {
            session.Dispose();
            throw;
        }
        return clock.Target(() => LookaheadTarget.Behind(decoder, session, responses, cancellation));
    }

    // All rows decode, or none: a row less saves nothing.
    private int[][] Together(BatchSession session, int[][] prompts, int room, CancellationToken cancellation)
    {
        int[]?[] known = [.. prompts.Select(prompt => cache?.Find(prompt))];
        if (known.All(response => response is not null))
            return known!;
        var responses = session.Sample(room, [.. prompts.Select(SamplingOf)], _ends, cancellation);
        foreach (var (row, prompt) in prompts.Index().Where(at => known[at.Index] is null))
            Remember(prompt, responses[row]);
        return [.. known.Zip(responses, (response, said) => response ?? said)];
    }

    private void Remember(int[] prompt, int[] response)
    {
        Generated++;
        cache?.Add(prompt, response);
    }

    private int Room(int[] prompt)
    {
        var room = DecodingLoop.Limit(maxResponse, decoder.Config.MaxPositions, prompt.Length);
        return room >= 1
            ? room
            : throw new InputException(
                $"the prompt of {prompt.Length} tokens leaves no room for a response: the model's context is {decoder.Config.MaxPositions}; shorten the prompt."
            );
    }

    private SamplingOptions SamplingOf(int[] prompt) => sampling.Temperature == 0 ? sampling : sampling with { Seed = SeedOf(prompt) };

    private long SeedOf(int[] prompt) =>
        BinaryPrimitives.ReadInt64LittleEndian(SHA256.HashData(ResponseCache.Bytes([.. BitConverter.GetBytes(sampling.Seed)], prompt)));
}
