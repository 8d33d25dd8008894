using LookaheadKV.Generation;
using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Runtime;
using LookaheadKV.Tests.Pretraining;
using TorchSharp;
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

    [Theory]
    [InlineData(ScalarType.Float16)]
    [InlineData(ScalarType.Int64)]
    public void A_dtype_that_is_not_supported_is_refused(ScalarType dtype)
    {
        using var folder = new TemporaryFolder();
        Assert.Contains($"dtype {dtype}", Assert.Throws<InputException>(() => Decoder.Load(folder.Path, dtype: dtype)).Message);
    }

    [Fact]
    public void A_prompt_may_fill_the_context_and_have_any_id_of_the_vocabulary()
    {
        using var scope = NewDisposeScope();
        using var decoder = TinyDecoder.Create();
        int[] ids = [.. Enumerable.Range(0, 24).Select(i => i % 13)];
        var tensor = decoder.Ids(ids);
        Assert.Equal([1, 24], tensor.shape);
        Assert.Equal(ids.Select(id => (long)id), tensor.data<long>().ToArray());
    }

    [Fact]
    public void Recorded_steps_need_a_gpu()
    {
        using var decoder = TinyDecoder.Create(ScalarType.BFloat16);
        Assert.Contains("needs a GPU", Assert.Throws<InputException>(() => decoder.Running(Execution.Graph)).Message);
        Assert.Equal(Execution.Reference, decoder.Running(Execution.Reference));
        Assert.Equal(Execution.Compiled, decoder.Running(null));
    }

    /// <summary>Compiled are passes that ask for no gradient of the weights, of a model whose window hides nothing.</summary>
    [Fact]
    public void A_pass_is_compiled_where_nothing_speaks_against_it()
    {
        using var plain = TinyDecoder.Create();
        Assert.True(plain.RunsCompiled(Execution.Compiled, 10));
        Assert.False(plain.RunsCompiled(Execution.Reference, 10));

        using var window = new Decoder(
            TinyDecoder.Config with
            {
                SlidingWindow = 10,
            },
            DecoderWeights.Collect(TinyDecoder.Config, name => ones(TinyDecoder.Shape(name)))
        );
        Assert.True(window.RunsCompiled(Execution.Compiled, 10));
        Assert.False(window.RunsCompiled(Execution.Compiled, 11));

        using var trained = TinyDecoder.Create();
        trained.Weights.Embedding.requires_grad_(true);
        Assert.False(trained.RunsCompiled(Execution.Compiled, 10));
        using (no_grad())
            Assert.True(trained.RunsCompiled(Execution.Compiled, 10));
    }

    [Fact]
    public void Rows_behind_a_prompt_have_the_keys_of_both()
    {
        using var scope = NewDisposeScope();
        var (prompt, keys) = (rand(1, 2, 3, 4), rand(1, 2, 2, 4));
        var rows = new LayerRows(rand(1, 4, 2, 4), keys, keys);
        Assert.True(rows.KeysBehind(prompt).eq(cat([prompt, keys], 2)).all().item<bool>());
        var joined = rand(1, 2, 5, 4);
        Assert.Same(joined, (rows with { JoinedKeys = joined }).KeysBehind(prompt));
    }

    [Fact]
    public void A_decoder_leaves_no_tensor_and_detached_rows_are_the_takers()
    {
        Use();
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Use();
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        static void Use()
        {
            using var decoder = TinyDecoder.Create();
            LayerRows kept;
            using (var scope = NewDisposeScope())
            {
                var hidden = decoder.Embed(decoder.Ids([1, 2, 3]));
                kept = decoder.Project(0, hidden, decoder.Angles(0, 3)).Detach();
            }
            Assert.All([kept.Queries, kept.Keys, kept.Values], rows => Assert.False(rows.IsInvalid));
            kept.Dispose();
            Assert.All([kept.Queries, kept.Keys, kept.Values], rows => Assert.True(rows.IsInvalid));
        }
    }
}
