using System.Collections.Concurrent;
using LookaheadKV.Runtime;

namespace LookaheadKV.Models;

/// <summary>The functions of a pass behind those of the layer, compiled once for each form of layer and way of writing.</summary>
/// <param name="joined">Whether maps that read the same rows are one product.</param>
/// <param name="source">The pass's own functions, over those of <see cref="DecoderLayer"/>.</param>
internal sealed class LayerPrograms(bool joined, string source)
{
    private readonly ConcurrentDictionary<(LayerForm, LayerWriting), Lazy<ScriptProgram>> _programs = [];

    /// <summary>The text of a form's program.</summary>
    public string Source(LayerForm form, LayerWriting writing) => DecoderLayer.Source(form, writing, joined) + source;

    /// <summary>The program of a form; what is mergeable is given to the compiler that merges.</summary>
    public ScriptProgram Of(LayerForm form, LayerWriting writing) =>
        _programs
            .GetOrAdd(
                (form, writing),
                key => new(() => new ScriptProgram(Source(key.Item1, key.Item2), fuse: key.Item2 == LayerWriting.Mergeable))
            )
            .Value;

    /// <summary>The program of a form in an execution.</summary>
    public ScriptProgram Of(LayerForm form, Execution execution) =>
        Of(form, execution.IsFused ? LayerWriting.Mergeable : LayerWriting.InPlace);
}
