using System.Globalization;
using System.Text.Json;
using LookaheadKV.Checkpoints;
using LookaheadKV.Files;
using static TorchSharp.torch;

namespace LookaheadKV.Pretraining;

/// <summary>
/// A training run on disk: <c>state.json</c> names the tensor file it belongs to and replaces its predecessor in one rename, so that a
/// reader always finds a state and tensors of the same step.
/// </summary>
internal sealed record PretrainingCheckpoint(PretrainingState State, TrainableDecoderConfig Model, RunSettings Settings, string Tensors)
{
    private const string StateFile = "state.json";
    private const string Weights = "weights";
    private const string FirstMoment = "first_moment";
    private const string SecondMoment = "second_moment";
    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true };

    /// <summary>Whether a folder holds a checkpoint.</summary>
    public static bool Exists(string folder) => File.Exists(Path.Combine(folder, StateFile));

    /// <summary>Tensor files of checkpoints that lie in a folder.</summary>
    public static IEnumerable<string> TensorFiles(string folder) =>
        Directory.Exists(folder) ? Directory.EnumerateFiles(folder, "step-*.safetensors") : [];

    /// <summary>Writes a checkpoint, then removes the tensors of the one before.</summary>
    public static void Save(
        string folder,
        TrainableDecoderConfig model,
        RunSettings settings,
        PretrainingState state,
        OptimizerState tensors
    )
    {
        Directory.CreateDirectory(folder);
        var name = string.Create(CultureInfo.InvariantCulture, $"step-{state.Step:D8}.safetensors");
        using (NewDisposeScope())
            Safetensors.Write(
                Path.Combine(folder, name),
                [(Weights, tensors.Weights.cpu()), (FirstMoment, tensors.FirstMoment.cpu()), (SecondMoment, tensors.SecondMoment.cpu())]
            );
        AtomicFile.WriteText(
            Path.Combine(folder, StateFile),
            JsonSerializer.Serialize(new PretrainingCheckpoint(state, model, settings, name), Json)
        );
        foreach (var old in TensorFiles(folder))
            if (Path.GetFileName(old) != name)
                File.Delete(old);
    }

    /// <summary>Reads the description of a folder's checkpoint.</summary>
    /// <exception cref="InputException">There is none, or it is damaged.</exception>
    public static PretrainingCheckpoint Load(string folder)
    {
        var path = Path.Combine(folder, StateFile);
        var checkpoint = JsonFile.Read<PretrainingCheckpoint>(path, "the state of a training");
        return checkpoint is { State: not null, Model: not null, Settings.Values: not null, Tensors: not null }
            ? checkpoint
            : throw new InputException($"{path}: State, Model, Settings or Tensors is missing; restore the file or use another folder.");
    }

    /// <summary>Deletes a folder's checkpoint, if it has one: the state first, so that none is ever without its tensors.</summary>
    public static void Delete(string folder)
    {
        foreach (var file in TensorFiles(folder).Prepend(Path.Combine(folder, StateFile)).Where(File.Exists))
            File.Delete(file);
    }

    /// <summary>Reads the tensors that belong to this description.</summary>
    /// <exception cref="InputException">They are missing, damaged, or of another size than the model.</exception>
    public OptimizerState LoadTensors(string folder, Device device)
    {
        var path = Path.Combine(folder, Tensors);
        using var file = SafetensorsFile.Open(path);
        using var scope = NewDisposeScope();
        var count = ParameterLayout.Count(Model.Checked());
        var state = new OptimizerState(Read(Weights), Read(FirstMoment), Read(SecondMoment));
        foreach (var tensor in (Tensor[])[state.Weights, state.FirstMoment, state.SecondMoment])
            tensor.DetachFromDisposeScope();
        return state;

        Tensor Read(string name)
        {
            var tensor = file.Read(name, device, ScalarType.Float32);
            if (tensor.numel() != count)
                throw new InputException(
                    $"{path}: {name} holds {tensor.numel()} numbers but the model has {count}; restore the checkpoint"
                );
            return tensor;
        }
    }
}
