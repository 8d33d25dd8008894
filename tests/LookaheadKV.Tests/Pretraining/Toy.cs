using LookaheadKV.Evaluation.Tasks;
using LookaheadKV.Pretraining;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Pretraining;

/// <summary>A model and tasks small enough to train in a second or two.</summary>
internal static class Toy
{
    public static TrainableDecoderConfig Model { get; } =
        new()
        {
            VocabularySize = 16,
            Width = 32,
            Layers = 2,
            QueryHeads = 4,
            KeyValueHeads = 2,
            HeadSize = 8,
            IntermediateSize = 48,
            MaxPositions = 32,
        };

    public static PretrainingPlan Plan { get; } =
        new()
        {
            Model = Model,
            Stages = [new(8, 16, 0.5), new(12, 8, 1)],
            TotalTokens = 24 * 16 * 8,
            LearningRate = 1e-2,
            WarmUpSteps = 4,
            EvaluateEvery = 8,
            EvaluationSequences = 16,
            Seed = 7,
        };

    /// <summary>Random tokens, and then the same again: the answer.</summary>
    public static TrainingSequence Copy(int length, ulong seed)
    {
        var random = new Random((int)(seed ^ (seed >> 32)));
        var half = length / 2;
        var text = Enumerable.Range(0, half).Select(_ => random.Next(1, 16)).ToArray();
        return new([.. text, .. text], [.. Enumerable.Repeat(false, half), .. Enumerable.Repeat(true, half)]);
    }

    /// <summary>Random tokens and, at the end, the first of them again.</summary>
    public static TrainingSequence First(int length, ulong seed)
    {
        var random = new Random((int)(seed ^ (seed >> 32)));
        var ids = Enumerable.Range(0, length).Select(_ => random.Next(1, 16)).ToArray();
        ids[^1] = ids[0];
        return new(ids, [.. Enumerable.Range(0, length).Select(i => i == length - 1)]);
    }

    public static Dictionary<string, SequenceSource> Tasks { get; } = new() { ["first"] = First };

    public static bool Same(Tensor a, Tensor b) => a.dtype == b.dtype && a.eq(b).all().item<bool>();

    public static Tensor RandomWeights(ulong seed = 3) => randn(ParameterLayout.Count(Model), generator: new Generator(seed)) * 0.2;
}

/// <summary>A folder that is gone after the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("lookahead-").FullName;

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
