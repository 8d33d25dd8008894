using System.Buffers.Binary;
using System.Security.Cryptography;
using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Models;

namespace LookaheadKV.Lookahead;

/// <summary>Where the responses come from whose attention is the true importance.</summary>
public interface IResponses
{
    /// <summary>Responses that were generated so far, rather than known.</summary>
    long Generated { get; }

    /// <summary>The response to an example's prompt, 1 token or more.</summary>
    /// <exception cref="InputException">There is none, or the prompt leaves no room for one.</exception>
    int[] Of(LookaheadExample example, CancellationToken cancellation = default);
}

/// <summary>The data set's own responses, whether or not the model would have said them.</summary>
/// <param name="MaxResponse">Longer ones are cut there.</param>
public sealed record GivenResponses(int MaxResponse = 512) : IResponses
{
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
/// remembered: a run that goes on, or another one on the same prompts, generates nothing twice.
/// </summary>
/// <param name="decoder">The model.</param>
/// <param name="sampling">How tokens are drawn; the seed is mixed with the prompt, so that each prompt has random numbers of its own.</param>
/// <param name="maxResponse">Longest response.</param>
/// <param name="cache">Where they are remembered; null: nowhere.</param>
/// <param name="endTokens">Tokens that end a response, beside those of the model's configuration.</param>
public sealed class OwnResponses(
    Decoder decoder,
    SamplingOptions sampling,
    int maxResponse = 512,
    ResponseCache? cache = null,
    IEnumerable<int>? endTokens = null
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
        var room = Math.Min(maxResponse, decoder.Config.MaxPositions - prompt.Length);
        if (room < 1)
            throw new InputException(
                $"the prompt of {prompt.Length} tokens leaves no room for a response: the model's context is {decoder.Config.MaxPositions}; shorten the prompt."
            );
        using var session = Session.Start(decoder, prompt, Policies.Full, room, cancellation);
        var drawn = sampling with { Seed = SeedOf(prompt) };
        int[] response = [.. session.Sample(decoder.Config, drawn, room, _ends, cancellation)];
        Generated++;
        cache?.Add(prompt, response);
        return response;
    }

    private long SeedOf(int[] prompt) =>
        BinaryPrimitives.ReadInt64LittleEndian(SHA256.HashData(ResponseCache.Bytes([.. BitConverter.GetBytes(sampling.Seed)], prompt)));
}
