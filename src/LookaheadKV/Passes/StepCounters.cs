using static TorchSharp.torch;

namespace LookaheadKV.Passes;

/// <summary>Where a decoding step stands, on the device: what <see cref="GraphStepScript"/> reads in place of lengths on the host.</summary>
/// <param name="Starts">Of each layer, where each segment of its storage starts, and where the last one ends, [S+1] (int32).</param>
/// <param name="Ends">Where each segment's new entry goes, [L,S] (int64).</param>
/// <param name="Used">Entries that each segment has with the new one, [L,S] (int32).</param>
/// <param name="Longest">Of each layer, room of its largest segment, [L] (int64, on the CPU: part of what is recorded).</param>
/// <param name="Turn">Which rows of the angles are the step's, [1] (int64).</param>
/// <param name="Cos">Cosines of successive steps' angles, [steps,B,1,1,D].</param>
/// <param name="Sin">Their sines.</param>
internal sealed record StepCounters(Tensor[] Starts, Tensor Ends, Tensor Used, Tensor Longest, Tensor Turn, Tensor Cos, Tensor Sin)
{
    /// <summary>Every tensor of it.</summary>
    public IEnumerable<Tensor> All => [.. Starts, Ends, Used, Longest, Turn, Cos, Sin];

    /// <summary>On to the next token.</summary>
    public void Advance()
    {
        foreach (var counter in new[] { Ends, Used, Turn })
            counter.add_(1);
    }
}
