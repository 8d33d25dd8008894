using LookaheadKV.Generation;
using LookaheadKV.Models;
using LookaheadKV.Tests.Models;
using LookaheadKV.Tests.Pretraining;
using LookaheadKV.Training;
using TorchSharp;
using Xunit;

namespace LookaheadKV.Tests.Training;

/// <summary>Responses: whose they are, that each is generated once, and that what is remembered survives a killed process.</summary>
public sealed class ResponsesTests : IDisposable
{
    private static readonly LookaheadExample[] Examples =
    [
        new([3, 8, 2, 11, 5], [1, 2, 3]),
        new([1, 1, 4, 9], []),
        new([7, 7, 7, 2, 2, 6], [9]),
    ];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private ResponseCache Cache(string settings = "model a") => ResponseCache.Open(_folder["responses.jsonl"], settings);

    [Fact]
    public void Own_responses_are_the_models_greedy_ones()
    {
        using var decoder = TinyDecoder.Create();
        var own = new OwnResponses(decoder, SamplingOptions.Greedy, maxResponse: 6);
        foreach (var example in Examples)
            Assert.Equal(Session.GreedyResponse(decoder, example.Prompt, 6, TestContext.Current.CancellationToken), own.Of(example));
        Assert.Equal(3, own.Generated);
    }

    [Fact]
    public void A_response_is_generated_once_and_found_by_the_next_process_even_after_half_a_line()
    {
        using var decoder = TinyDecoder.Create();
        var first = new OwnResponses(decoder, SamplingOptions.Greedy, 6, Cache());
        var said = Examples.Take(2).Select(e => first.Of(e)).ToList();
        Assert.Equal(said[0], first.Of(Examples[0]));
        Assert.Equal(2, first.Generated);
        File.AppendAllText(_folder["responses.jsonl"], "{\"Key\":\"12");

        var second = new OwnResponses(decoder, SamplingOptions.Greedy, 6, Cache());
        Assert.Equal(said, Examples.Take(2).Select(e => second.Of(e)));
        Assert.Equal(0, second.Generated);
        second.Of(Examples[2]);
        Assert.Equal(1, second.Generated);

        var third = new OwnResponses(decoder, SamplingOptions.Greedy, 6, Cache());
        foreach (var example in Examples)
            third.Of(example);
        Assert.Equal(0, third.Generated);
    }

    [Fact]
    public void Another_model_or_setting_shares_the_file_but_no_response()
    {
        Cache("model a").Add([1, 2], [3]);
        Cache("model b").Add([1, 2], [4]);
        Assert.Equal([3], Cache("model a").Find([1, 2])!);
        Assert.Equal([4], Cache("model b").Find([1, 2])!);
        Assert.Null(Cache("model a").Find([1, 2, 0]));
        Assert.Null(Cache("model").Find([1, 2]));
    }

    [Fact]
    public void A_sampled_response_depends_on_seed_and_prompt_alone()
    {
        using var decoder = TinyDecoder.Create();
        var a = Sampled(1).Of(Examples[0]);
        Assert.Equal(a, After(Sampled(1), Examples[1]).Of(Examples[0]));
        Assert.Contains(Enumerable.Range(2, 8), seed => !Sampled(seed).Of(Examples[0]).SequenceEqual(a));

        OwnResponses Sampled(long seed) => new(decoder, new SamplingOptions { Temperature = 1.5, Seed = seed }, 8);

        static OwnResponses After(OwnResponses responses, LookaheadExample other)
        {
            responses.Of(other);
            return responses;
        }
    }

    [Fact]
    public void Given_responses_are_the_datas_own_or_none()
    {
        Assert.Equal([1, 2, 3], new GivenResponses().Of(Examples[0]));
        Assert.Equal([1, 2], new GivenResponses(2).Of(Examples[0]));
        Assert.Contains("has no response", Assert.Throws<InputException>(() => new GivenResponses().Of(Examples[1])).Message);
    }

    [Fact]
    public void A_prompt_without_room_for_a_response_is_refused()
    {
        using var decoder = TinyDecoder.Create();
        var full = new LookaheadExample([.. Enumerable.Repeat(1, decoder.Config.MaxPositions)], []);
        Assert.Contains(
            "leaves no room",
            Assert.Throws<InputException>(() => new OwnResponses(decoder, SamplingOptions.Greedy).Of(full)).Message
        );
    }

    [Fact]
    public void A_response_ends_where_the_context_does_and_is_no_longer_than_asked()
    {
        using var decoder = TinyDecoder.Create();
        var most = decoder.Config.MaxPositions;
        for (var length = most - 3; length < most; length++)
        {
            var example = new LookaheadExample([.. Enumerable.Range(0, length).Select(i => 1 + i % 12)], []);
            Assert.InRange(new OwnResponses(decoder, SamplingOptions.Greedy).Of(example).Length, 1, most - length);
            Assert.Single(new OwnResponses(decoder, SamplingOptions.Greedy, maxResponse: 1).Of(example));
        }
    }

    [Fact]
    public void A_response_ends_with_any_of_the_given_tokens()
    {
        using var decoder = TinyDecoder.Create();
        var whole = new OwnResponses(decoder, SamplingOptions.Greedy, 8).Of(Examples[0]);
        var end = whole[1];
        var ended = new OwnResponses(decoder, SamplingOptions.Greedy, 8, endTokens: [end]).Of(Examples[0]);
        Assert.Equal(whole[..(Array.IndexOf(whole, end) + 1)], ended);
    }

    [Fact]
    public void Lines_that_are_no_response_are_dropped_and_of_two_the_later_counts()
    {
        Cache().Add([1, 2], [3]);
        Cache().Add([1, 2], [4, 5]);
        var lines = File.ReadAllLines(_folder["responses.jsonl"]);
        var key = lines[0].Split('"')[3];
        File.AppendAllText(
            _folder["responses.jsonl"],
            "{\"Response\":[6]}\n{\"Key\":\"" + key + "\",\"Response\":[]}\n{\"Key\":\"" + key + "\"}\n"
        );
        var cache = Cache();
        Assert.Equal([4, 5], cache.Find([1, 2])!);
        Assert.Equal(lines, File.ReadAllLines(_folder["responses.jsonl"]));
    }

    [Fact]
    public void A_file_that_cannot_be_written_is_told_at_once() =>
        Assert.Contains(
            "cannot write",
            Assert.Throws<InputException>(() => ResponseCache.Open(_folder["no/such/responses.jsonl"], "model a")).Message
        );

    /// <summary>All weights alike, the logits are too, whatever was asked: only the random numbers tell prompts apart.</summary>
    [Fact]
    public void Each_prompt_has_random_numbers_of_its_own()
    {
        using var decoder = new Decoder(
            TinyDecoder.Config with
            {
                EndTokens = [],
            },
            DecoderWeights.Collect(TinyDecoder.Config, name => torch.ones(TinyDecoder.Shape(name)))
        );
        var sampled = new OwnResponses(decoder, new SamplingOptions { Temperature = 1, Seed = 5 }, 10);
        Assert.NotEqual(sampled.Of(new([1, 2, 3], [])), sampled.Of(new([1, 2, 4], [])));
        Assert.Equal(sampled.Of(new([1, 2, 3], [])), sampled.Of(new([1, 2, 3], [])));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1.5)]
    public void Targets_are_those_of_the_responses_that_are_known_and_of_those_that_are_said(double temperature)
    {
        using var decoder = TinyDecoder.Create();
        var sampling = new SamplingOptions { Temperature = temperature, Seed = 4 };
        LookaheadExample[] examples = [new([3, 8, 2, 11, 5], []), new([1, 1, 4, 9, 6], [])];
        var said = examples.Select(example => new OwnResponses(decoder, sampling, 6).Of(example)).ToArray();
        int[] known = [.. said[0].Select(id => (id + 1) % 13), 4];
        var cache = Cache();
        cache.Add(examples[0].Prompt, known);
        using var target = new OwnResponses(decoder, sampling, 6, cache).Target(decoder, examples, new StepClock(decoder.Device));
        using var expected = LookaheadTarget.Compute(decoder, [.. examples.Select(e => e.Prompt)], [known, said[1]]);
        Assert.All(expected.Importance.Zip(target.Importance), pair => Assert.True(pair.Second.allclose(pair.First, 1e-4, 1e-6)));
        Assert.Equal(said[1], cache.Find(examples[1].Prompt)!);
    }

    [Fact]
    public void Responses_that_cannot_be_remembered_leave_no_tensor()
    {
        using var decoder = TinyDecoder.Create();
        Fail();
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Fail();
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        void Fail()
        {
            Directory.CreateDirectory(_folder["gone"]);
            var own = new OwnResponses(decoder, SamplingOptions.Greedy, 6, ResponseCache.Open(_folder["gone/responses.jsonl"], "here"));
            Directory.Delete(_folder["gone"]);
            Assert.Throws<InputException>(() => own.Target(decoder, Examples[..1], new StepClock(decoder.Device)));
        }
    }
}
