using LookaheadKV.Checkpoints;
using LookaheadKV.Generation;
using LookaheadKV.Models;
using LookaheadKV.Tests.Pretraining;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Models;

public sealed class DecoderTests
{
    [Theory]
    [InlineData(new int[0], "empty")]
    [InlineData(new[] { 1, 13, 2 }, "token id 13 is outside the vocabulary 0..12")]
    [InlineData(new[] { 1, -1 }, "token id -1 is outside the vocabulary 0..12")]
    public void Ids_outside_the_vocabulary_are_refused(int[] ids, string named)
    {
        using var decoder = TinyDecoder.Create();
        Assert.Contains(named, Assert.Throws<InputException>(() => decoder.Ids(ids)).Message);
    }

    [Fact]
    public void A_prompt_beyond_the_context_is_refused()
    {
        using var decoder = TinyDecoder.Create();
        var message = Assert.Throws<InputException>(() => decoder.Ids([.. Enumerable.Repeat(1, 25)])).Message;
        Assert.Contains("25 tokens", message);
        Assert.Contains("context is 24", message);
    }

    [Fact]
    public void Logits_are_float_32_whatever_the_model_is()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        foreach (var dtype in new[] { ScalarType.Float32, ScalarType.BFloat16, ScalarType.Float64 })
        {
            using var decoder = TinyDecoder.Create(dtype);
            var logits = decoder.Logits(
                PromptPass.Run(
                    decoder,
                    decoder.Ids([3, 1, 4]),
                    (_, rows) => Assert.Equal(dtype, rows.Keys.dtype),
                    TestContext.Current.CancellationToken
                )
            );
            Assert.Equal(ScalarType.Float32, logits.dtype);
            Assert.Equal([1, 3, 13], logits.shape);
        }
    }

    [Fact]
    public void A_missing_folder_is_named() =>
        Assert.Contains("no such folder", Assert.Throws<InputException>(() => Decoder.Load("no/such/model")).Message);

    [Fact]
    public void End_tokens_are_those_of_both_configurations_and_end_an_answer()
    {
        using var folder = new TemporaryFolder();
        RandomFolder.Write(folder.Path, TinyDecoder.Config with { EndTokens = [12] });
        using var without = Decoder.Load(folder.Path);
        Assert.Equal([12], without.Config.EndTokens);
        var first = Session.GreedyResponse(without, [3, 1, 4], 1, TestContext.Current.CancellationToken).Single();
        File.WriteAllText(folder["generation_config.json"], $$"""{"eos_token_id": [{{first}}, 5]}""");
        using var with = Decoder.Load(folder.Path);
        Assert.Equal(new[] { first, 5, 12 }.Distinct().Order(), with.Config.EndTokens);
        Assert.Equal([first], Session.GreedyResponse(with, [3, 1, 4], 6, TestContext.Current.CancellationToken));
    }
}
