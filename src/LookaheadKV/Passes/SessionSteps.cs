using LookaheadKV.Cache;
using LookaheadKV.Models;
using LookaheadKV.Runtime;
using static TorchSharp.torch;

namespace LookaheadKV.Passes;

/// <summary>How a session's tokens reach its cache: through <see cref="Decoding"/>, or through a recording of its step where the execution asks for one.</summary>
internal sealed class SessionSteps(Decoder decoder, KeyValueCache cache, Execution execution) : IDisposable
{
    private DecodingGraph? _graph;

    /// <summary>Appends tokens [B, T] to the cache and returns the logits behind each, [B, T, vocabulary] (float32).</summary>
    /// <exception cref="InputException">The tokens would stand beyond the model's context.</exception>
    public Tensor Extend(Tensor ids)
    {
        Decoding.RequireContext(decoder, cache, ids.size(1));
        return Run(ids);
    }

    /// <summary>The same, also beyond the model's context: for rows whose answer has ended, while others go on.</summary>
    public Tensor Run(Tensor ids)
    {
        if (!DecodingGraph.Serves(decoder, cache, ids, execution))
            return Decoding.Run(decoder, cache, ids, execution);
        if (_graph?.Reaches() == false)
            Dispose();
        _graph ??= DecodingGraph.Record(decoder, cache);
        return _graph.Run(ids);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _graph?.Dispose();
        _graph = null;
    }
}
