using LookaheadKV.Pretraining;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Pretraining;

public class TrainableDecoderTests
{
    private static TrainableDecoder Decoder(
        Tensor weights,
        ScalarType dtype = ScalarType.Float32,
        AttentionKernel kernel = AttentionKernel.Grouped
    ) => new(Toy.Model, weights, CPU, dtype, kernel);

    // One operator at a time, from the Hugging Face weights and with rotate-half written out: shares no code with the compiled forward.
    private static Tensor Reference(TrainableDecoderConfig c, IReadOnlyDictionary<string, Tensor> w, Tensor ids)
    {
        var length = (int)ids.shape[1];
        var x = w["model.embed_tokens.weight"][ids];
        var inverse = arange(c.HeadSize / 2).to(x.dtype).mul(-2.0 / c.HeadSize).mul(Math.Log(c.RopeTheta)).exp();
        var angles = arange(length).to(x.dtype).unsqueeze(1) * inverse;
        var (cos, sin) = (cat([angles, angles], -1).cos(), cat([angles, angles], -1).sin());
        var mask = full([length, length], double.NegativeInfinity, dtype: x.dtype).triu(1);
        for (var l = 0; l < c.Layers; l++)
        {
            var at = $"model.layers.{l}";
            var a = Norm(x, w[$"{at}.input_layernorm.weight"]);
            var q = Rotate(Heads(a.matmul(w[$"{at}.self_attn.q_proj.weight"].t()), c.QueryHeads));
            var k = Rotate(Heads(a.matmul(w[$"{at}.self_attn.k_proj.weight"].t()), c.KeyValueHeads));
            var v = Heads(a.matmul(w[$"{at}.self_attn.v_proj.weight"].t()), c.KeyValueHeads);
            var heads = new List<Tensor>();
            for (var h = 0; h < c.QueryHeads; h++)
            {
                var g = h / (c.QueryHeads / c.KeyValueHeads);
                var scores = q.select(1, h).matmul(k.select(1, g).transpose(1, 2)) / Math.Sqrt(c.HeadSize) + mask;
                heads.Add(scores.softmax(-1).matmul(v.select(1, g)));
            }
            x = x + cat(heads, -1).matmul(w[$"{at}.self_attn.o_proj.weight"].t());
            var b = Norm(x, w[$"{at}.post_attention_layernorm.weight"]);
            var gate = b.matmul(w[$"{at}.mlp.gate_proj.weight"].t());
            var up = b.matmul(w[$"{at}.mlp.up_proj.weight"].t());
            x = x + (gate * gate.sigmoid() * up).matmul(w[$"{at}.mlp.down_proj.weight"].t());
        }
        return Norm(x, w["model.norm.weight"]).matmul(w["model.embed_tokens.weight"].t());

        Tensor Norm(Tensor t, Tensor weight) => t * (t.pow(2).mean([-1], keepdim: true) + c.RmsNormEpsilon).rsqrt() * weight;
        Tensor Heads(Tensor t, int count) => t.view(t.shape[0], length, count, c.HeadSize).transpose(1, 2);
        Tensor Rotate(Tensor t)
        {
            var halves = t.chunk(2, -1);
            return t * cos + cat([-halves[1], halves[0]], -1) * sin;
        }
    }

    private static Dictionary<string, Tensor> Named(Tensor weights) =>
        HuggingFaceExport.Weights(Toy.Model, weights).ToDictionary(pair => pair.Name, pair => pair.Tensor);

    private static PackedBatch Batch(int spareSlots = 0)
    {
        var sequences = Enumerable.Range(0, 5).Select(i => Toy.Copy(10, (ulong)i)).ToArray();
        return PackedBatch.Of(sequences, 12, 5 * 5 + spareSlots, 16);
    }

    [Theory]
    [InlineData(AttentionKernel.Grouped)]
    [InlineData(AttentionKernel.Repeated)]
    public void Logits_equal_a_forward_written_one_operator_at_a_time(AttentionKernel kernel)
    {
        using var scope = NewDisposeScope();
        var weights = Toy.RandomWeights();
        using var decoder = Decoder(weights, kernel: kernel);
        var ids = randint(16, [3, 20], generator: new Generator(1));
        Assert.True(allclose(decoder.Logits(ids), Reference(Toy.Model, Named(weights), ids), 1e-5, 1e-5));
    }

    [Fact]
    public void Loss_is_the_mean_over_marked_tokens_whatever_the_padding()
    {
        using var scope = NewDisposeScope();
        var weights = Toy.RandomWeights();
        using var decoder = Decoder(weights);
        var total = 0.0;
        var count = 0;
        for (var row = 0; row < 5; row++)
        {
            var (ids, wanted) = Toy.Copy(10, (ulong)row);
            var logits = Reference(Toy.Model, Named(weights), tensor(ids.Select(id => (long)id).ToArray()).unsqueeze(0))[0];
            var logs = logits.log_softmax(-1);
            for (var i = 0; i < ids.Length; i++)
                if (wanted[i])
                {
                    total -= logs[i - 1, ids[i]].item<float>();
                    count++;
                }
        }
        foreach (var spare in (int[])[0, 7])
        {
            var batch = Batch(spare);
            Assert.Equal(total / count, decoder.Loss(tensor(batch.Values), batch.Shape).item<float>(), 1e-5);
        }
    }

    [Fact]
    public void Gradient_equals_finite_differences_in_every_kind_of_weight()
    {
        using var scope = NewDisposeScope();
        var weights = Toy.RandomWeights().to(ScalarType.Float64);
        using var decoder = Decoder(weights, ScalarType.Float64);
        var batch = Batch(3);
        var packed = tensor(batch.Values);
        var gradient = autograd.grad([decoder.Loss(packed, batch.Shape)], [decoder.Parameters])[0];
        var random = new Random(1);
        long start = 0;
        using var quiet = no_grad();
        foreach (var piece in ParameterLayout.Pieces(Toy.Model))
        {
            for (var sample = 0; sample < 4; sample++)
            {
                // The embedding's first row is the padding's and never an answer: its gradient comes from the head alone, and is real.
                var index = start + random.NextInt64(piece.Size);
                const double h = 1e-5;
                double At(double offset)
                {
                    decoder.Parameters[index] = weights[index] + offset;
                    return decoder.Loss(packed, batch.Shape).item<double>();
                }
                var numeric = (At(h) - At(-h)) / (2 * h);
                At(0);
                Assert.Equal(numeric, gradient[index].item<double>(), 1e-8);
            }
            start += piece.Size;
        }
        Assert.True(gradient.abs().max().item<double>() > 1e-3);
    }

    [Fact]
    public void Bfloat16_is_near_float32()
    {
        using var scope = NewDisposeScope();
        var weights = Toy.RandomWeights();
        using var exact = Decoder(weights);
        using var coarse = Decoder(weights, ScalarType.BFloat16);
        var batch = Batch();
        var packed = tensor(batch.Values);
        Assert.Equal(exact.Loss(packed, batch.Shape).item<float>(), coarse.Loss(packed, batch.Shape).item<float>(), 0.05);
    }

    [Fact]
    public void Fused_execution_gives_the_same_gradient_at_every_call()
    {
        using var scope = NewDisposeScope();
        var weights = Toy.RandomWeights();
        using var plain = Decoder(weights);
        using var fused = new TrainableDecoder(Toy.Model, weights, CPU, ScalarType.Float32, AttentionKernel.Grouped, fuse: true);
        var batch = Batch();
        var packed = tensor(batch.Values);
        var expected = autograd.grad([plain.Loss(packed, batch.Shape)], [plain.Parameters])[0];
        for (var call = 0; call < 4; call++)
        {
            var actual = autograd.grad([fused.Loss(packed, batch.Shape)], [fused.Parameters])[0];
            Assert.True(allclose(expected, actual, 1e-4, 1e-6));
        }
    }

    [Fact]
    public void Exact_match_counts_whole_answers()
    {
        using var scope = NewDisposeScope();
        using var decoder = Decoder(Toy.RandomWeights());
        // Answers that the model itself would write are right; one wrong token spoils one answer.
        var sequences = Enumerable.Range(0, 6).Select(i => Toy.Copy(8, (ulong)i)).ToArray();
        bool[] marks = [false, false, true, true, false, true, true, true];
        foreach (var (ids, _) in sequences)
            for (var i = 1; i < ids.Length; i++)
            {
                var logits = decoder.Logits(tensor(ids.Select(id => (long)id).ToArray()).unsqueeze(0));
                if (marks[i])
                    ids[i] = (int)logits[0, i - 1].argmax().item<long>();
            }
        var marked = sequences.Select(sequence => sequence with { Loss = marks }).ToArray();
        Assert.Equal(1, ExactMatch.Of(decoder, marked, 9, 4, CPU));
        marked[2].Ids[^1] = (marked[2].Ids[^1] + 1) % 16;
        Assert.Equal(11.0 / 12, ExactMatch.Of(decoder, marked, 9, 4, CPU), 1e-12);
    }

    [Fact]
    public void Initial_weights_have_the_deviation_of_their_kind()
    {
        using var scope = NewDisposeScope();
        var config = Toy.Model with { VocabularySize = 512 };
        var weights = TrainableDecoder.InitialWeights(config, 5);
        long start = 0;
        foreach (var piece in ParameterLayout.Pieces(config))
        {
            var values = weights.slice(0, start, start + piece.Size, 1);
            if (piece.Deviation > 0)
                Assert.Equal(1, values.std().item<float>() / piece.Deviation, 0.1);
            else
                Assert.True(values.eq(1).all().item<bool>());
            start += piece.Size;
        }
        Assert.True(Toy.Same(weights, TrainableDecoder.InitialWeights(config, 5)));
        Assert.False(Toy.Same(weights, TrainableDecoder.InitialWeights(config, 6)));
    }

    [Theory]
    [InlineData(0, 4, 2, "Layers is 0")]
    [InlineData(2, 3, 2, "QueryHeads is 3")]
    public void Impossible_shapes_are_refused(int layers, int heads, int shared, string message)
    {
        var config = Toy.Model with { Layers = layers, QueryHeads = heads, KeyValueHeads = shared };
        Assert.Contains(message, Assert.Throws<InputException>(config.Checked).Message);
    }

    [Fact]
    public void Weights_of_another_model_are_refused()
    {
        using var weights = zeros(10);
        Assert.Contains("10 weights", Assert.Throws<InputException>(() => Decoder(weights)).Message);
    }
}
