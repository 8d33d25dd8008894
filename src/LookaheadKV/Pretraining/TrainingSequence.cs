namespace LookaheadKV.Pretraining;

/// <summary>One sequence of training data.</summary>
/// <param name="Ids">Token ids, at most as many as the stage's length.</param>
/// <param name="Loss">Same length: true where the token is to be predicted from those before it. Never true for the first token.</param>
public sealed record TrainingSequence(int[] Ids, bool[] Loss);

/// <summary>Makes the training sequence of a seed: a pure function, called from many threads at once.</summary>
/// <param name="length">Longest sequence allowed, in tokens.</param>
/// <param name="seed">The same seed gives the same sequence.</param>
public delegate TrainingSequence SequenceSource(int length, ulong seed);
