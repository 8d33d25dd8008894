using LookaheadKV.Evaluation.Tasks;

namespace LookaheadKV.Pretraining;

/// <summary>Makes the training sequence of a seed: a pure function, called from many threads at once.</summary>
/// <param name="length">Longest sequence allowed, in tokens.</param>
/// <param name="seed">The same seed gives the same sequence.</param>
public delegate TrainingSequence SequenceSource(int length, ulong seed);
