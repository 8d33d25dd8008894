using Xunit;

namespace LookaheadKV.Tests.Checkpoints.Gguf;

/// <summary>A real model's files, where the environment variable LOOKAHEADKV_MODELS names a folder with them.</summary>
internal static class RealModel
{
    private const string Variable = "LOOKAHEADKV_MODELS";

    /// <summary>The path of something in that folder; the test is skipped where there is none.</summary>
    public static string At(params string[] parts)
    {
        var root = Environment.GetEnvironmentVariable(Variable);
        Assert.SkipWhen(string.IsNullOrEmpty(root), $"{Variable} names no folder of models");
        var path = Path.Combine([root, .. parts]);
        Assert.SkipUnless(Path.Exists(path), $"{path} is not there");
        return path;
    }

    /// <summary>SmolLM2-135M-Instruct as one GGUF file.</summary>
    public static string SmolLm2 => At("smollm2-135m-instruct", "SmolLM2-135M-Instruct.Q4_1.gguf");
}
