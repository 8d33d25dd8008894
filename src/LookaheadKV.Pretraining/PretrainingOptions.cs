using LookaheadKV.Files;
using static TorchSharp.torch;

namespace LookaheadKV.Pretraining;

/// <summary>How one piece of a training run is executed: nothing here decides what is learned, except through rounding.</summary>
public sealed record PretrainingOptions
{
    /// <summary>Folder of the checkpoint and the loss curve; a run continues from what it finds there.</summary>
    public required string Folder { get; init; }

    /// <summary>
    /// Hugging Face folder whose weights a new run starts from, with fresh optimiser state; null for random weights. Of no effect where the
    /// run's own folder has a checkpoint.
    /// </summary>
    public string? StartFrom { get; init; }

    /// <summary>What the run depends on beside its plan; a checkpoint of other settings is refused.</summary>
    public RunSettings Settings { get; init; } = RunSettings.None;

    /// <summary>Where to compute.</summary>
    public Device Device { get; init; } = CPU;

    /// <summary>What to compute in; masters and moments are float32 always. Bfloat16 on a GPU, float32 on a CPU.</summary>
    public ScalarType DataType { get; init; } = ScalarType.Float32;

    /// <summary>Minutes this piece may take, its last checkpoint excluded; null for no limit.</summary>
    public double? Minutes { get; init; }

    /// <summary>Steps this piece may take; null for no limit.</summary>
    public long? Steps { get; init; }

    /// <summary>Minutes between checkpoints; one is always written at the end and on cancellation.</summary>
    public double CheckpointMinutes { get; init; } = 3;

    /// <summary>Steps between two points of the loss curve. Only then does the host wait for the device.</summary>
    public int ReportEvery { get; init; } = 50;

    /// <summary>How attention runs.</summary>
    public AttentionKernel Attention { get; init; } = AttentionKernel.Grouped;

    /// <summary>Whether TorchScript's profiling executor may fuse the forward pass; see <see cref="TrainableDecoder"/>.</summary>
    public bool Fuse { get; init; }

    /// <summary>Returns these options if their numbers make sense.</summary>
    /// <exception cref="InputException">One does not.</exception>
    public PretrainingOptions Checked()
    {
        if ((Minutes is { } minutes && !(minutes > 0)) || Steps <= 0)
            throw new InputException($"this piece may take {Minutes} minutes and {Steps} steps: each limit must be above 0 or absent");
        if (!(CheckpointMinutes > 0) || ReportEvery < 1)
            throw new InputException(
                $"checkpoints come every {CheckpointMinutes} minutes and reports every {ReportEvery} steps: both must be above 0"
            );
        if (DataType is not (ScalarType.Float32 or ScalarType.BFloat16))
            throw new InputException($"training in {DataType} is not supported: choose float32 or bfloat16");
        return this;
    }
}
