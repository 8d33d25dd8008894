using System.Text.Json;
using Xunit;

namespace LookaheadKV.Tests.Cli;

/// <summary><c>lookahead bench</c>: what it counts is exact; what it times is there.</summary>
public sealed class BenchTests : IDisposable
{
    private readonly Bench _bench = new();

    public void Dispose() => _bench.Dispose();

    [Fact]
    public async Task Every_policy_and_length_has_a_row_and_the_report_draws_them()
    {
        var ran = await _bench.RunOnModel(
            "bench",
            [
                .. new[] { "--lengths", "20,12", "--policies", "full,keynorm", "--budgets", "4,6", "--runs", "2", "--warm-up", "1" },
                .. new[] { "--decode", "3", "--json", "{bench.json}", "--report", "{report}" },
            ]
        );
        Assert.Equal((0, ""), (ran.ExitCode, ran.Error));
        var rows = _bench.Json("bench.json").GetProperty("results").EnumerateArray().ToList();
        Assert.Equal(
            [
                ("full", null, 12),
                ("keynorm", "4", 12),
                ("keynorm", "6", 12),
                ("full", null, 20),
                ("keynorm", "4", 20),
                ("keynorm", "6", 20),
            ],
            rows.Select(row =>
                (row.GetProperty("policy").GetString(), row.GetProperty("budget").GetString(), row.GetProperty("length").GetInt32())
            )
        );
        foreach (var row in rows)
        {
            var evicts = row.GetProperty("budget").ValueKind != JsonValueKind.Null;
            var kept = evicts ? int.Parse(row.GetProperty("budget").GetString()!) : row.GetProperty("length").GetInt32();
            Assert.Equal(kept, row.GetProperty("keptTokens").GetDouble());
            // Room for three tokens and the first one; 8 bytes a position; 2 layers of 2 heads of 8 numbers.
            Assert.Equal(2 * 2 * (kept + 4) * (2 * 8 * 4 + 8), row.GetProperty("residentBytes").GetInt64());
            Assert.Equal(evicts ? JsonValueKind.Number : JsonValueKind.Null, row.GetProperty("costMs").ValueKind);
            Assert.Equal(2, row.GetProperty("ttftRuns").GetArrayLength());
            foreach (var time in new[] { "ttftMs", "firstStepMs", "decodeMs", "prefillFloorMs", "decodeFloorMs" })
                Assert.True(row.GetProperty(time).GetDouble() > 0, time);
            Assert.Equal(row.GetProperty("liveTensors").GetInt64(), row.GetProperty("liveTensorsAtEnd").GetInt64());
        }
        var page = File.ReadAllText(Path.Combine(_bench["report"], "index.html"));
        foreach (
            var part in new[] { "Plotly.newPlot(\"first-token\"", "Plotly.newPlot(\"decoded-token\"", "keynorm, 6", "lookahead bench" }
        )
            Assert.Contains(part, page);
    }

    [Fact]
    public async Task Steps_are_timed_one_by_one_beside_floors_in_proportion_to_what_they_read()
    {
        var ran = await _bench.Run([
            .. new[] { "bench", "--steps", "--shape", "llama-100m", "--device", "cpu", "--lengths", "128,64", "--budgets", "16" },
            .. new[] { "--runs", "1", "--warm-up", "0", "--json", "{steps.json}", "--report", "{report}" },
        ]);
        Assert.Equal((0, ""), (ran.ExitCode, ran.Error));
        var rows = _bench.Json("steps.json").GetProperty("results").EnumerateArray().ToList();
        Assert.Equal(
            [("score", 64), ("select", 64), ("compact", 64), ("score", 128), ("select", 128), ("compact", 128)],
            rows.Select(row => (row.GetProperty("step").GetString(), row.GetProperty("length").GetInt32()))
        );
        Assert.All(rows, row => Assert.True(row.GetProperty("ms").GetDouble() > 0));
        double[] growth =
        [
            .. rows.Take(3)
                .Zip(rows.Skip(3), (one, two) => two.GetProperty("floorMs").GetDouble() / one.GetProperty("floorMs").GetDouble()),
        ];
        Assert.Equal([2.0, 2.0, 1.0], growth.Select(ratio => Math.Round(ratio, 9)));
        Assert.Contains("Plotly.newPlot(\"step-times\"", File.ReadAllText(Path.Combine(_bench["report"], "index.html")));
    }

    [Theory]
    [InlineData(2, "--steps takes a layer of a --shape", "--steps")]
    [InlineData(2, "--steps takes one budget in tokens", "--steps", "--shape", "llama-100m", "--budgets", "5%")]
    [InlineData(1, "128 entries of 64 tokens are all of them", "--steps", "--shape", "llama-100m", "--lengths", "64")]
    [InlineData(1, "the model's context is 32; give shorter --lengths", "--lengths", "30", "--decode", "2")]
    [InlineData(1, "is a file; name a folder", "--lengths", "20", "--report", "{ids.json}")]
    public async Task What_cannot_be_measured_is_refused_in_one_line(int code, string part, params string[] arguments)
    {
        var ran = await _bench.RunOnModel("bench", arguments);
        Assert.Equal(code, ran.ExitCode);
        Assert.Contains(part, ran.Error);
        Assert.Equal(ran.Error.Length - Environment.NewLine.Length, ran.Error.IndexOf(Environment.NewLine, StringComparison.Ordinal));
    }
}
