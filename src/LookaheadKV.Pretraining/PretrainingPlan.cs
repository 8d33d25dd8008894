using System.Text.Json;
using System.Text.Json.Serialization;
using LookaheadKV.Files;

namespace LookaheadKV.Pretraining;

/// <summary>One stage of a plan: sequences of one length.</summary>
/// <param name="Length">Tokens a sequence.</param>
/// <param name="Batch">Sequences a step.</param>
/// <param name="MaxShare">The stage ends when it has used this share (0..1] of the planned training; the last stage runs to the end.</param>
/// <param name="Threshold">It ends earlier when every required task's exact match on held-out sequences reaches this (above 1: never).</param>
public sealed record PretrainingStage(int Length, int Batch, double MaxShare, double Threshold = 0.92)
{
    /// <summary>Returns this stage if its numbers make sense.</summary>
    /// <param name="most">Longest sequence that the model reads.</param>
    /// <exception cref="InputException">One does not.</exception>
    public PretrainingStage Checked(int most = int.MaxValue)
    {
        if (Length < 2 || Length > most)
            throw new InputException($"stage length is {Length}: it must be within 2..{most}, the model's MaxPositions");
        if (Batch < 1)
            throw new InputException($"stage batch is {Batch}: it must be at least 1");
        if (!(MaxShare > 0 && MaxShare <= 1))
            throw new InputException($"stage share is {MaxShare}: it must be above 0 and at most 1");
        if (!(Threshold >= 0))
            throw new InputException($"stage threshold is {Threshold}: it must be at least 0");
        return this;
    }
}

/// <summary>
/// Everything that decides what a training run learns: the model, the curriculum, the optimiser, the seed. A plan of
/// <see cref="TotalTokens"/> gives the same weights however it is cut into pieces; a plan of <see cref="TotalMinutes"/> depends on
/// the machine's speed.
/// </summary>
public sealed record PretrainingPlan
{
    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true };

    /// <summary>The model's shape.</summary>
    public TrainableDecoderConfig Model { get; init; } = new();

    /// <summary>
    /// The stages in order. Long contexts are not learned from the start: a model that begins at 128 tokens with one question a
    /// sequence stays at the loss of guessing.
    /// </summary>
    public IReadOnlyList<PretrainingStage> Stages { get; init; } =
    [new(96, 768, 0.2), new(256, 256, 0.15), new(640, 112, 0.25), new(2304, 32, 1)];

    /// <summary>Planned minutes over all pieces, or null for a plan by tokens.</summary>
    public double? TotalMinutes { get; init; }

    /// <summary>Planned tokens over all pieces, padding included, or null for a plan by minutes.</summary>
    public long? TotalTokens { get; init; }

    /// <summary>Tasks whose exact match does not hold a stage back.</summary>
    public IReadOnlyList<string> OptionalTasks { get; init; } = [];

    /// <summary>Peak learning rate.</summary>
    public double LearningRate { get; init; } = 1e-3;

    /// <summary>Share of the peak that the cosine ends at.</summary>
    public double FinalShare { get; init; } = 0.1;

    /// <summary>Steps of linear warm-up.</summary>
    public int WarmUpSteps { get; init; } = 300;

    /// <summary>Decay of the gradient's running mean.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of the squared gradient's running mean.</summary>
    public double Beta2 { get; init; } = 0.95;

    /// <summary>Decoupled weight decay of the matrices; norms do not decay.</summary>
    public double WeightDecay { get; init; } = 0.05;

    /// <summary>Largest norm of the whole gradient.</summary>
    public double GradientClip { get; init; } = 1;

    /// <summary>Steps between two measurements of the tasks' exact match.</summary>
    public int EvaluateEvery { get; init; } = 400;

    /// <summary>Held-out sequences a task in one measurement.</summary>
    public int EvaluationSequences { get; init; } = 128;

    /// <summary>Seed of the initial weights and of all data.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Share of the planned training that is done, 0..1: the larger of the shares of minutes and tokens.</summary>
    /// <param name="seconds">Seconds consumed over all pieces.</param>
    /// <param name="tokens">Tokens consumed over all pieces.</param>
    public double Progress(double seconds, long tokens) =>
        Math.Min(1, Math.Max(seconds / 60 / (TotalMinutes ?? double.PositiveInfinity), tokens / (TotalTokens ?? double.PositiveInfinity)));

    /// <summary>Learning rate of a step: linear warm-up times a cosine that falls to <see cref="FinalShare"/> at the end of the plan.</summary>
    /// <param name="step">Steps already taken.</param>
    /// <param name="progress">Share of the plan that is done, 0..1.</param>
    public double RateAt(long step, double progress)
    {
        var warm = WarmUpSteps == 0 ? 1 : Math.Min(1, (step + 1.0) / WarmUpSteps);
        return LearningRate * warm * (FinalShare + (1 - FinalShare) * 0.5 * (1 + Math.Cos(Math.PI * progress)));
    }

    /// <summary>Returns this plan if its numbers make sense.</summary>
    /// <exception cref="InputException">One does not.</exception>
    public PretrainingPlan Checked()
    {
        Model.Checked();
        if (Stages.Count == 0)
            throw new InputException("the plan has no stages: it needs at least one");
        foreach (var stage in Stages)
            stage.Checked(Model.MaxPositions);
        if (!(TotalMinutes > 0) && !(TotalTokens > 0))
            throw new InputException("the plan has no end: set TotalMinutes or TotalTokens above 0");
        if (TotalMinutes <= 0 || TotalTokens <= 0)
            throw new InputException($"the plan ends after {TotalMinutes} minutes or {TotalTokens} tokens: each must be above 0 or absent");
        if (!(LearningRate > 0) || WarmUpSteps < 0 || !(FinalShare >= 0 && FinalShare <= 1))
            throw new InputException(
                $"the plan's learning rate is {LearningRate}, warm-up {WarmUpSteps}, final share {FinalShare}: they must be above 0, at least 0, 0..1"
            );
        if (!(Beta1 is >= 0 and < 1) || !(Beta2 is >= 0 and < 1) || !(WeightDecay >= 0) || !(GradientClip > 0))
            throw new InputException(
                $"the plan's betas are {Beta1} and {Beta2}, decay {WeightDecay}, clip {GradientClip}: betas must be in 0..1, decay at least 0, clip above 0"
            );
        if (EvaluateEvery < 1 || EvaluationSequences < 1)
            throw new InputException(
                $"the plan evaluates every {EvaluateEvery} steps on {EvaluationSequences} sequences: both must be at least 1"
            );
        return this;
    }

    /// <summary>Reads a plan from JSON; members left out keep their defaults.</summary>
    /// <exception cref="InputException">The file is missing, no plan, or its numbers make no sense.</exception>
    public static PretrainingPlan Load(string path) =>
        JsonFile.Read<PretrainingPlan>(path, "a training plan: a JSON object with Stages and TotalMinutes").Checked();

    /// <summary>All that the plan says, by member: what a checkpoint depends on.</summary>
    [JsonIgnore]
    public RunSettings Settings => RunSettings.None.With(Members("", JsonSerializer.SerializeToElement(this)));

    /// <summary>The plan as indented JSON.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Json);

    // The model's members are told one by one.
    private static IEnumerable<(string Name, string? Value)> Members(string prefix, JsonElement plan) =>
        plan.EnumerateObject()
            .SelectMany(member =>
                member.Value.ValueKind == JsonValueKind.Object ? Members($"{member.Name}.", member.Value)
                : member.Value.ValueKind == JsonValueKind.Null ? []
                : [(prefix + member.Name, member.Value.GetRawText())]
            );
}
