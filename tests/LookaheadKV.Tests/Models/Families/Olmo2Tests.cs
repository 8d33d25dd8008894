using System.Runtime.CompilerServices;
using LookaheadKV.Budgeting;
using LookaheadKV.Checkpoints;
using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Lookahead;
using LookaheadKV.Methods;
using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Runtime;
using LookaheadKV.Training;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Models.Families;

/// <summary>
/// OLMo 2 against transformers, in every execution: norms behind the blocks, and of all heads together. That the executions agree with each other, ragged caches and
/// riding observers too, is in ExecutionTests, which go through all golden families.
/// </summary>
public sealed class Olmo2Tests
{
    private const int Prompt = 64;

    private readonly int[] _ids;
    private readonly int[] _greedy;

    public Olmo2Tests()
    {
        using var file = SafetensorsFile.Open(Path.Combine(Folder(), "expected.safetensors"));
        using var scope = NewDisposeScope();
        (_ids, _greedy) = ([.. file.Read("ids").data<int>()], [.. file.Read("greedy").data<int>()]);
    }

    public static TheoryData<string> Executions() => ["reference", "compiled", "fused"];

    [Fact]
    public void Its_layers_have_the_norms_that_the_family_has()
    {
        using var decoder = Decoder.Load(Folder());
        var config = decoder.Config;
        Assert.Equal((BlockNorms.After, QueryKeyNorm.Whole), (config.Norms, config.QueryKeyNorm));
        foreach (var layer in decoder.Weights.Layers)
            Assert.Equal([null, 96, 32, 96, null, 96], NormNames.All.Select(name => layer.Norm(name)?.size(0)));
    }

    [Theory]
    [MemberData(nameof(Executions))]
    public void Logits_and_greedy_tokens_are_those_of_transformers(string way)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var decoder = Decoder.Load(Folder());
        var execution = Execution.Parse(way);
        var rows = PromptPass.Run(decoder, decoder.Ids(_ids), (_, _) => { }, TestContext.Current.CancellationToken, execution);
        var logits = decoder.Logits(rows)[0];
        Near(Expected("logits"), logits);
        using var session = Session.Start(decoder, _ids, EvictionPolicy.Full, reserve: _greedy.Length, execution: execution);
        Assert.Equal(_greedy, session.Generate(_greedy.Length));
    }

    [Theory]
    [MemberData(nameof(Executions))]
    public void True_importance_is_that_of_transformers(string way)
    {
        using var scope = NewDisposeScope();
        using var decoder = Decoder.Load(Folder());
        using var target = LookaheadTarget.Compute(
            decoder,
            [_ids[..Prompt]],
            [_ids[Prompt..]],
            TestContext.Current.CancellationToken,
            Execution.Parse(way)
        );
        Near(Expected("true"), cat([.. target.Importance]));
    }

    /// <summary>Gradients flow through every map's pair, the loss falls, and prompts are evicted by what was learned.</summary>
    [Fact]
    public void A_module_trains_and_evicts()
    {
        using var decoder = Decoder.Load(Folder());
        using var module = LookaheadModule.Create(decoder.Config, new LookaheadSettings { Tokens = 4, Rank = 2 }, seed: 1);
        using var start = module.Copy();
        var losses = new List<double>();
        LookaheadTrainer.Run(
            decoder,
            module,
            _ => [new LookaheadExample(_ids[..Prompt], [])],
            new()
            {
                Steps = 12,
                MaxResponse = 8,
                LearningRate = 1e-2,
                WarmUpSteps = 1,
            },
            new Inline<LookaheadTrainingPoint>(point => losses.Add(point.Loss)),
            TestContext.Current.CancellationToken
        );
        Assert.All(module.Parameters.Zip(start.Parameters), pair => Assert.False(pair.First.eq(pair.Second).all().item<bool>()));
        Assert.True(losses[^1] < 0.9 * losses[0], $"{losses[0]} → {losses[^1]}");
        using var session = Session.Start(decoder, _ids[..Prompt], LookaheadMethod.Policy(module).With(Budget.Tokens(16)), reserve: 4);
        Assert.All(session.Cache.Layers, layer => Assert.All(layer.StoredLengths, stored => Assert.Equal(16, stored)));
        Assert.Equal(4, session.Generate(4).Count());
    }

    private static Tensor Expected(string name)
    {
        using var file = SafetensorsFile.Open(Path.Combine(Folder(), "expected.safetensors"));
        return file.Read(name);
    }

    private static void Near(Tensor expected, Tensor actual) =>
        Assert.True((expected - actual).abs().max().item<float>() <= 1e-4f * expected.abs().max().item<float>());

    private static string Folder([CallerFilePath] string here = "") =>
        Path.Combine(Path.GetDirectoryName(here)!, "../../../golden/families/olmo2");
}
