namespace LookaheadKV.Training;

/// <summary>How the distance of predicted from true importance is measured in training, both as distributions over the prompt.</summary>
public enum LookaheadObjective
{
    /// <summary>KL(true ‖ predicted), the paper's: what the answer looks at must be predicted, whatever else is.</summary>
    Kl,

    /// <summary>KL(predicted ‖ true): nothing may be predicted that the answer does not look at.</summary>
    ReverseKl,

    /// <summary>Σ (true − predicted)²: the large entries alone count.</summary>
    Squares,
}

/// <summary>What true importance is.</summary>
public enum TrainingTarget
{
    /// <summary>The response's attention, the paper's.</summary>
    Attention,

    /// <summary>The same, weighed by what an entry writes into the residual stream where it is attended to: <see cref="WrittenNorm"/>.</summary>
    Written,
}

/// <summary>Which of a module's parameters are trained.</summary>
public enum TrainedPart
{
    /// <summary>Token embeddings and LoRA, as in the paper.</summary>
    All,

    /// <summary>LoRA alone; the embeddings stay at their random start.</summary>
    Lora,
}
