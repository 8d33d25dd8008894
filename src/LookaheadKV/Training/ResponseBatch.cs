using LookaheadKV.Models;
using LookaheadKV.Passes;
using static TorchSharp.torch;

namespace LookaheadKV.Training;

/// <summary>Responses of a pass as rows behind their prompts: shorter ones are padded, and the padding weighs nothing.</summary>
/// <param name="Responses">The responses, 1..M tokens each.</param>
internal sealed record ResponseBatch(IReadOnlyList<int[]> Responses) : IObserver
{
    /// <summary>M, the longest response's tokens.</summary>
    public int Longest { get; } = Responses.Max(response => response.Length);

    /// <summary>The responses, each padded with its last token to M.</summary>
    public IEnumerable<int[]> Padded => Responses.Select(r => (int[])[.. r, .. Enumerable.Repeat(r[^1], Longest - r.Length)]);

    /// <summary>Weight of each row in its response's mean, [B,M] (float32): 1 / length, 0 for padding.</summary>
    public Tensor Weights(Device device)
    {
        using var scope = NewDisposeScope();
        float[] weights = [.. Responses.SelectMany(r => Enumerable.Range(0, Longest).Select(i => i < r.Length ? 1f / r.Length : 0f))];
        return tensor(weights).reshape(Responses.Count, Longest).to(device).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public Tensor Embed(Decoder decoder, long batch)
    {
        using var scope = NewDisposeScope();
        return decoder.Embed(cat([.. Padded.Select(decoder.Ids)])).MoveToOuterDisposeScope(); // [B,M,E]
    }

    /// <inheritdoc/>
    public LayerLora? Lora(int layer) => null;
}
