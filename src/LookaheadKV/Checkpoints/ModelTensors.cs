using static TorchSharp.torch;

namespace LookaheadKV.Checkpoints;

/// <summary>What is known of a stored tensor before it is read.</summary>
/// <param name="Type">The stored type, as its format names it.</param>
/// <param name="Shape">Sizes.</param>
/// <param name="Bytes">Bytes in the file.</param>
/// <param name="IsWeight">Whether it holds fractions, as weights do.</param>
public readonly record struct StoredTensor(string Type, IReadOnlyList<long> Shape, long Bytes, bool IsWeight);

/// <summary>The tensors of a model by their Hugging Face names, whatever they are stored in.</summary>
public abstract class ModelTensors
{
    private const int NamesInMessage = 6;

    /// <summary>Where they lie, for messages.</summary>
    private protected abstract string Source { get; }

    /// <summary>All names, file by file in the order of their bytes.</summary>
    public abstract IReadOnlyCollection<string> Names { get; }

    /// <summary>Type, shape and bytes of a tensor.</summary>
    /// <exception cref="KeyNotFoundException">There is no tensor of that name.</exception>
    public abstract StoredTensor Stored(string name);

    /// <summary>Reads tensors to where they shall be, in the order of the files; of the host's memory, one tensor is in use at a time for those that live elsewhere.</summary>
    /// <param name="places">Tensors of the stored shapes, on any device in any type, by the names that all must be there.</param>
    /// <param name="progress">Receives every tensor that was read.</param>
    /// <param name="cancellation">Looked at before every tensor.</param>
    public abstract void ReadInto(
        IReadOnlyDictionary<string, Tensor> places,
        IProgress<ReadProgress>? progress = null,
        CancellationToken cancellation = default
    );

    /// <summary>Checks that exactly these tensors are there, in types that weights have; one error lists all that are missing, surplus, misshapen or of another type.</summary>
    /// <param name="wanted">Names and shapes.</param>
    /// <param name="mayBeSurplus">Names that may be there although nobody asks for them.</param>
    /// <exception cref="InputException">Something does not fit.</exception>
    public void Require(IReadOnlyList<(string Name, long[] Shape)> wanted, Func<string, bool> mayBeSurplus)
    {
        var here = Names.ToHashSet();
        var names = wanted.Select(tensor => tensor.Name).ToHashSet();
        var there = wanted.Where(tensor => here.Contains(tensor.Name)).Select(tensor => (tensor, Stored: Stored(tensor.Name))).ToList();
        string[] faults =
        [
            .. List("missing", names.Where(name => !here.Contains(name))),
            .. List("surplus", Names.Where(name => !names.Contains(name) && !mayBeSurplus(name))),
            .. List(
                "misshapen",
                there
                    .Where(entry => !entry.Stored.Shape.SequenceEqual(entry.tensor.Shape))
                    .Select(entry =>
                        $"{entry.tensor.Name} [{string.Join(", ", entry.Stored.Shape)}] instead of [{string.Join(", ", entry.tensor.Shape)}]"
                    )
            ),
            .. List(
                "of a type that no weight has",
                there.Where(entry => !entry.Stored.IsWeight).Select(entry => $"{entry.tensor.Name} {entry.Stored.Type}")
            ),
        ];
        if (faults.Length > 0)
            throw new InputException(
                $"{Source}: its weights do not fit its {ModelFiles.Config}: {string.Join("; ", faults)}; fetch the model again."
            );
    }

    // None, or one text that names the first of them and counts the rest.
    private protected static string[] List(string what, IEnumerable<string> names)
    {
        var all = names.ToList();
        var more = all.Count > NamesInMessage ? $" and {all.Count - NamesInMessage} more" : "";
        return all.Count == 0 ? [] : [$"{all.Count} {what} ({string.Join(", ", all.Take(NamesInMessage))}{more})"];
    }
}
