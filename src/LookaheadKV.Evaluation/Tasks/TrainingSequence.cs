namespace LookaheadKV.Evaluation.Tasks;

/// <summary>A document with questions and answers, to train a language model on.</summary>
/// <param name="Ids">The tokens, [N].</param>
/// <param name="Loss">
/// [N]; true where the token itself belongs to an answer (<c>&lt;|end|&gt;</c> included), that is where it is a target of the loss: the
/// logits that predict it stand one position earlier.
/// </param>
public sealed record TrainingSequence(int[] Ids, bool[] Loss);
