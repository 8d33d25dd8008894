using System.Globalization;
using System.Text.Json;
using LookaheadKV.Checkpoints;
using LookaheadKV.Files;

namespace LookaheadKV.Training;

/// <summary>A learning-rate schedule that a training has run on.</summary>
/// <param name="From">Steps done when it began.</param>
/// <param name="Steps">Steps that it was for.</param>
public sealed record TrainingSchedule(long From, int Steps);

/// <summary>How far the training of a folder is, as its checkpoint tells.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Seconds">Seconds that they took.</param>
/// <param name="Settings">What they depended on.</param>
/// <param name="Schedules">Their schedules; more than one where a training went on with more steps than were planned first.</param>
public sealed record TrainingProgress(long Step, double Seconds, RunSettings Settings, IReadOnlyList<TrainingSchedule> Schedules)
{
    /// <summary>Name of the checkpoint within a training's folder.</summary>
    public const string FileName = "checkpoint.safetensors";

    /// <summary>Progress of a folder; null where it has no checkpoint.</summary>
    /// <exception cref="InputException">The checkpoint is damaged, or none of a training.</exception>
    public static TrainingProgress? Of(string folder)
    {
        var path = FileIn(folder);
        if (!File.Exists(path))
            return null;
        using var file = SafetensorsFile.Open(path);
        return OfMetadata(file.Metadata)
            ?? throw new InputException(
                $"{path} records no step or no settings: it is no checkpoint of this version; name another folder."
            );
    }

    /// <summary>Refuses to go on with other settings, or with fewer steps than are done.</summary>
    /// <param name="folder">The folder, for messages.</param>
    /// <param name="now">Settings of the training that would go on.</param>
    /// <param name="steps">Steps that it is for.</param>
    /// <exception cref="InputException">It must not.</exception>
    public void Require(string folder, RunSettings now, int steps)
    {
        if (Settings.DifferenceTo(now) is { } difference)
            throw new InputException($"{folder} holds a training of other settings ({difference}); name another folder.");
        if (Step > steps)
            throw new InputException(
                $"{folder} holds a training of {Step} steps, {steps} are wanted: it cannot go back; give {Step} or more, or name another folder."
            );
    }

    internal static string FileIn(string folder) => Path.Combine(folder, FileName);

    internal Dictionary<string, string> ToMetadata() =>
        new()
        {
            ["step"] = Step.ToString(CultureInfo.InvariantCulture),
            ["seconds"] = Seconds.ToString("R", CultureInfo.InvariantCulture),
            ["settings"] = Settings.ToJson(),
            ["schedules"] = JsonSerializer.Serialize(Schedules),
        };

    private static TrainingProgress? OfMetadata(IReadOnlyDictionary<string, string> metadata)
    {
        try
        {
            return
                long.TryParse(metadata.GetValueOrDefault("step"), CultureInfo.InvariantCulture, out var step)
                && double.TryParse(metadata.GetValueOrDefault("seconds"), CultureInfo.InvariantCulture, out var seconds)
                && RunSettings.OfJson(metadata.GetValueOrDefault("settings", "")) is { } settings
                && JsonSerializer.Deserialize<TrainingSchedule[]>(metadata.GetValueOrDefault("schedules", "")) is { } schedules
                ? new(step, seconds, settings, schedules)
                : null;
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException) // no JSON, or half of a surrogate pair
        {
            return null;
        }
    }
}
