using System.Text.Json.Serialization;
using LookaheadKV.Budgeting;
using LookaheadKV.Evaluation.Tasks;
using LookaheadKV.Generation;
using LookaheadKV.Lookahead;
using LookaheadKV.Methods;
using LookaheadKV.Models;
using LookaheadKV.Training;

namespace LookaheadKV.Evaluation.Studies;

/// <summary>Which lookahead modules a cell measures.</summary>
public enum ModuleSource
{
    /// <summary>It trains its own.</summary>
    Trained,

    /// <summary>The model's own, as they lie in its folder; settings of the training are not looked at.</summary>
    Shipped,

    /// <summary>None: policies without modules are compared.</summary>
    None,
}

/// <summary>Whose responses a training takes its targets from.</summary>
public enum ResponseSource
{
    /// <summary>The model's own.</summary>
    Own,

    /// <summary>Those of the data set, whether or not the model would say them.</summary>
    Given,
}

/// <summary>
/// All that a cell of a study depends on beside the model and the seed: how modules are made and trained, and what they are measured on.
/// A study file writes these names in camelCase.
/// </summary>
public sealed record CellSettings
{
    /// <summary>Where the modules come from.</summary>
    public ModuleSource Modules { get; init; } = ModuleSource.Trained;

    /// <summary>n, lookahead tokens.</summary>
    public int Tokens { get; init; } = 32;

    /// <summary>r of the LoRA pairs; 0: tokens alone.</summary>
    public int Rank { get; init; } = 8;

    /// <summary>LoRA deltas are scaled by alpha / r.</summary>
    public double Alpha { get; init; } = 32;

    /// <summary>Linear maps with a LoRA pair.</summary>
    public IReadOnlyList<LinearName> Targets { get; init; } = LinearNames.All;

    /// <summary>Which parameters are trained.</summary>
    public TrainedPart Trained { get; init; } = TrainedPart.All;

    /// <summary>The training's loss.</summary>
    public LookaheadObjective Objective { get; init; } = LookaheadObjective.Kl;

    /// <summary>Whose responses are the training's targets.</summary>
    public ResponseSource Responses { get; init; } = ResponseSource.Own;

    /// <summary>Temperature of the model's own responses; 0: greedy.</summary>
    public double Temperature { get; init; }

    /// <summary>Steps of the training.</summary>
    public int Steps { get; init; } = 200;

    /// <summary>Prompts a step.</summary>
    public int Batch { get; init; } = 8;

    /// <summary>Peak learning rate.</summary>
    public double LearningRate { get; init; } = 2e-3;

    /// <summary>Upper bound of a training prompt's tokens.</summary>
    public int TrainLength { get; init; } = 512;

    /// <summary>Policies to measure, as on the command line.</summary>
    public IReadOnlyList<string> Policies { get; init; } = [LookaheadMethod.Method.Name];

    /// <summary>Budgets to measure them at, as on the command line.</summary>
    public IReadOnlyList<string> Budgets { get; init; } = ["64"];

    /// <summary>Tasks to measure on.</summary>
    public IReadOnlyList<string> Tasks { get; init; } = TaskNames.All;

    /// <summary>Upper bound of a measured prompt's tokens.</summary>
    public int Length { get; init; } = 1024;

    /// <summary>Measured prompts a task.</summary>
    public int Samples { get; init; } = 4;

    /// <summary>Whether the question is part of what is scored.</summary>
    public QueryMode Query { get; init; } = QueryMode.Aware;

    /// <summary>Entries kept a layer and kv head at which the share of the oracle's kept set is measured.</summary>
    public IReadOnlyList<int> RecallAt { get; init; } = [64];

    /// <summary>Entries of <see cref="Policies"/> as policies.</summary>
    [JsonIgnore]
    public IReadOnlyList<PolicyText> PolicyTexts => [.. Policies.Select(PolicyText.Parse)];

    /// <summary>What the settings say that no run can do.</summary>
    /// <exception cref="InputException">One of them is out of its range.</exception>
    public void Check()
    {
        AtLeast(1, ("steps", Steps), ("batch", Batch), ("trainLength", TrainLength), ("length", Length), ("samples", Samples));
        // These refuse what is out of their ranges.
        _ = new LookaheadSettings
        {
            Tokens = Tokens,
            Rank = Rank,
            Alpha = Alpha,
        };
        _ = new LookaheadTrainerOptions { LearningRate = LearningRate };
        _ = new SamplingOptions { Temperature = Temperature };
        if (Trained == TrainedPart.Lora && Rank == 0)
            throw new InputException("trained: lora with rank 0 leaves nothing to train; give a rank of 1 or more.");
        if (Responses == ResponseSource.Given && Temperature > 0)
            throw new InputException("responses: given are not drawn; leave temperature at 0.");
        foreach (var (name, count) in new[] { ("policies", Policies.Count), ("budgets", Budgets.Count), ("tasks", Tasks.Count) })
            AtLeast(1, (name, count));
        foreach (var budget in Budgets)
            Budget.Parse(budget);
        foreach (var task in Tasks)
            TaskNames.Check(task);
        var policies = PolicyTexts; // refuses what is no policy
        if (Modules == ModuleSource.None && policies.FirstOrDefault(text => text.NeedsModule) is { } needy)
            throw new InputException($"policy {needy.Name} needs modules; set modules to trained or shipped.");
        if (RecallAt.Any(count => count < 1))
            throw new InputException("recallAt holds a number below 1.");
    }

    private static void AtLeast(int least, params ReadOnlySpan<(string Name, int Value)> settings)
    {
        foreach (var (name, value) in settings)
            if (value < least)
                throw new InputException($"{name} is {value} (or has {value} entries); it must be at least {least}.");
    }
}
