using LookaheadKV.Checkpoints;
using LookaheadKV.Models;
using LookaheadKV.Tests.Pretraining;
using Xunit;

namespace LookaheadKV.Tests.Models;

/// <summary>Rotary scalings as config.json writes them: where keys are looked for, what absent ones are, how far the context reaches.</summary>
public sealed class RopeConfigTests
{
    [Theory]
    [InlineData("""{"rope_type": "default"}""", null, 4096)]
    [InlineData("""{"type": "default", "partial_rotary_factor": 1.0}""", null, 4096)]
    [InlineData("""{"rope_type": "linear", "factor": 2.5}""", "linear", 10240)]
    [InlineData("""{"rope_type": "linear", "factor": 1}""", "linear", 4096)]
    [InlineData("""{"type": "dynamic", "factor": 4}""", "dynamic", 16384)]
    [InlineData("""{"rope_type": "llama3", "type": "x", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4}""", "llama3", 4096)]
    [InlineData("""{"rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 2048}""", "yarn", 8192)]
    [InlineData("""{"rope_type": "yarn", "factor": 1.5, "original_max_position_embeddings": 2048}""", "yarn", 4096)]
    public void Kinds_and_the_context_they_reach(string rope, string? kind, int context)
    {
        foreach (var key in new[] { "rope_scaling", "rope_parameters" })
        {
            var config = Read($"\"{key}\": {rope}");
            Assert.Equal(kind, config.RopeScaling?.GetType().Name.ToLowerInvariant());
            Assert.Equal(context, config.MaxPositions);
        }
    }

    [Fact]
    public void Numbers_are_read_where_they_stand()
    {
        Assert.Equal(
            new RopeScaling.Llama3(8, 1.5, 4, 1024),
            Scaling(
                """{"rope_type": "llama3", "factor": 8, "low_freq_factor": 1.5, "high_freq_factor": 4, "original_max_position_embeddings": 1024}"""
            )
        );
        Assert.Equal(
            new RopeScaling.Llama3(8, 1.5, 4, 4096), // the context, where no original one is stated
            Scaling("""{"rope_type": "llama3", "factor": 8, "low_freq_factor": 1.5, "high_freq_factor": 4}""")
        );
        Assert.Equal(new RopeScaling.Dynamic(3, 4096), Scaling("""{"rope_type": "dynamic", "factor": 3}"""));
        Assert.Equal(
            new RopeScaling.Yarn(4, 1024, 1.25, 16, 2, WholeDimensions: false),
            Scaling(
                """
                {"rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 1024, "attention_factor": 1.25, "beta_fast": 16,
                 "beta_slow": 2, "truncate": false}
                """
            )
        );
        // The original context stands outside in some files, and beats the one inside.
        var config = Read(
            """
            "original_max_position_embeddings": 512,
            "rope_scaling": {"rope_type": "yarn", "original_max_position_embeddings": 1024}
            """
        );
        Assert.Equal(new RopeScaling.Yarn(8, 512, 0.1 * Math.Log(8) + 1), config.RopeScaling);
    }

    [Theory]
    [InlineData(4, null, null, 1.13862943611)] // 0.1 ln 4 + 1
    [InlineData(4, 0.5, null, 1.13862943611)]
    [InlineData(4, null, 0.5, 1.13862943611)]
    [InlineData(4, 0.0, 0.5, 1.13862943611)]
    [InlineData(4, 0.5, 0.0, 1.13862943611)]
    [InlineData(4, 2.0, 0.5, 1.19446487611)] // (0.2 ln 4 + 1) / (0.05 ln 4 + 1)
    [InlineData(1, null, null, 1)]
    [InlineData(0.5, null, null, 1)]
    public void Rows_are_lengthened_by_what_the_factor_says(double factor, double? above, double? below, double expected) =>
        Assert.Equal(expected, RopeScaling.Yarn.DefaultAttentionFactor(factor, above, below), 1e-9);

    [Fact]
    public void Lengthening_is_stated_or_follows_from_the_factor()
    {
        const string Yarn = "\"rope_type\": \"yarn\", \"factor\": 4, \"original_max_position_embeddings\": 1024";
        Assert.Equal(1.13862943611, Attention(""), 1e-9);
        Assert.Equal(1.19446487611, Attention(", \"mscale\": 2, \"mscale_all_dim\": 0.5"), 1e-9);
        Assert.Equal(3, Attention(", \"attention_factor\": 3, \"mscale\": 2, \"mscale_all_dim\": 0.5"), 1e-9);

        double Attention(string more) => ((RopeScaling.Yarn)Scaling($"{{{Yarn}{more}}}")!).AttentionFactor;
    }

    [Theory]
    [InlineData("\"rope_theta\": 1", "rope_theta is 1, it must be above 1")]
    [InlineData("\"rope_scaling\": {\"rope_theta\": 0.5}", "rope_theta is 0.5")]
    [InlineData("\"rope_scaling\": {\"partial_rotary_factor\": 0.25}", "rope_scaling.partial_rotary_factor 0.25")]
    [InlineData(
        "\"rope_parameters\": {\"rope_type\": \"longrope\"}",
        "rope_type \"longrope\" is not implemented; allowed: default, linear, "
    )]
    [InlineData("\"rope_parameters\": {\"rope_type\": \"linear\", \"factor\": 0.99}", "rope_parameters.factor")]
    [InlineData("\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2, \"alpha\": 1}", "rope_scaling.alpha is not implemented")]
    [InlineData(
        "\"rope_scaling\": {\"type\": \"llama3\", \"factor\": 2, \"low_freq_factor\": 4, \"high_freq_factor\": 4}",
        "low_freq_factor 4 must be below high_freq_factor 4"
    )]
    [InlineData(
        "\"rope_scaling\": {\"type\": \"llama3\", \"factor\": 2, \"low_freq_factor\": 0, \"high_freq_factor\": 4}",
        "low_freq_factor must be a number above 0"
    )]
    [InlineData("\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2, \"attention_factor\": 0}", "attention_factor 0")]
    [InlineData("\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2, \"beta_slow\": 0}", "beta_slow 0")]
    [InlineData("\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2, \"beta_slow\": 32}", "beta_slow 32 and beta_fast 32")]
    [InlineData("\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2, \"attention_factor\": -1}", "attention_factor -1")]
    [InlineData("\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2, \"beta_slow\": -1}", "beta_slow -1")]
    [InlineData("\"rope_scaling\": {\"type\": \"yarn\", \"original_max_position_embeddings\": 8192}", "rope_scaling.factor")]
    public void What_would_change_the_numbers_is_refused(string keys, string part)
    {
        var message = Assert.Throws<InputException>(() => Read(keys)).Message;
        Assert.Contains(part, message);
        Assert.Contains("config.json", message); // wherever the number is refused, the file is named
    }

    // Keys of other kinds, and what only the command of a kind's own paper knows.
    [Theory]
    [InlineData("default", "")]
    [InlineData("linear", "factor")]
    [InlineData("dynamic", "factor")]
    [InlineData("llama3", "factor, low_freq_factor, high_freq_factor, original_max_position_embeddings")]
    [InlineData(
        "yarn",
        "factor, original_max_position_embeddings, attention_factor, mscale, mscale_all_dim, beta_fast, beta_slow, truncate"
    )]
    public void A_key_that_a_kind_does_not_know_is_refused_with_those_it_knows(string kind, string known)
    {
        var message = Assert
            .Throws<InputException>(() =>
                Scaling($$"""{"rope_type": "{{kind}}", "factor": 2, "low_freq_factor": 1, "high_freq_factor": 4, "finetuned": true}""")
            )
            .Message;
        var unknown =
            known.Length == 0 ? "factor"
            : known == "factor" ? "low_freq_factor"
            : kind == "yarn" ? "low_freq_factor"
            : "finetuned";
        Assert.Contains($"rope_scaling.{unknown} is not implemented for rope_type \"{kind}\"", message);
        Assert.Contains($"known: rope_type, type, rope_theta, partial_rotary_factor{(known.Length == 0 ? "" : ", " + known)}", message);
    }

    [Fact]
    public void Theta_is_looked_for_inside_then_outside()
    {
        Assert.Equal(3e5, Read("\"rope_theta\": 2e5, \"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 3e5}").RopeTheta);
        Assert.Equal(2e5, Read("\"rope_theta\": 2e5, \"rope_parameters\": {\"rope_type\": \"default\"}").RopeTheta);
        Assert.Equal(1e4, Read("\"rope_parameters\": {\"rope_type\": \"default\"}").RopeTheta);
    }

    private static RopeScaling? Scaling(string rope) => Read($"\"rope_scaling\": {rope}").RopeScaling;

    private static DecoderConfig Read(string keys)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(
            folder["config.json"],
            $$"""
            { "model_type": "llama", "vocab_size": 10, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
              "intermediate_size": 8, "max_position_embeddings": 4096, {{keys}} }
            """
        );
        return DecoderConfig.Load(folder["config.json"]);
    }
}
