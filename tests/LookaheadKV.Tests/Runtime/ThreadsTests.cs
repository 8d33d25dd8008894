using LookaheadKV.Runtime;
using Xunit;

namespace LookaheadKV.Tests.Runtime;

/// <summary>How many threads find a processor, and what is said where they do not.</summary>
public sealed class ThreadsTests
{
    [Theory]
    [InlineData(2, null, 2, 0.0, 2)] // quiet
    [InlineData(2, null, 2, 0.4, 2)]
    [InlineData(2, null, 2, 1.2, 1)]
    [InlineData(2, null, 2, 25.0, 1)] // one is always there
    [InlineData(16, null, 16, 3.6, 12)]
    [InlineData(16, 4.0, 16, 3.6, 4)] // a container's limit
    [InlineData(16, 1.5, 16, 0.0, 1)] // the half would be waited for
    [InlineData(16, 0.5, 16, 0.0, 1)]
    [InlineData(4, null, 64, 30.0, 4)] // others' load is on the other processors
    [InlineData(4, null, 64, 62.0, 2)]
    public void A_thread_is_taken_where_it_finds_a_processor(int allowed, double? limit, int online, double load, int threads) =>
        Assert.Equal(threads, new Processors(allowed, limit, online, load).Sensible);

    /// <summary>More load, a tighter limit or fewer processors never make more threads; there is one at least, and never more than allowed.</summary>
    [Fact]
    public void Less_is_never_more()
    {
        var random = new Random(1);
        for (var i = 0; i < 2000; i++)
        {
            var online = random.Next(1, 65);
            var host = new Processors(
                random.Next(1, online + 1),
                random.Next(2) == 0 ? null : 0.1 + 8 * random.NextDouble(),
                online,
                70 * random.NextDouble()
            );
            Assert.InRange(host.Sensible, 1, host.Allowed);
            Assert.True((host with { Load = host.Load + 3 * random.NextDouble() }).Sensible <= host.Sensible);
            Assert.True((host with { Limit = 0.9 * (host.Limit ?? 9) }).Sensible <= host.Sensible);
            Assert.True((host with { Allowed = Math.Max(1, host.Allowed - 1) }).Sensible <= host.Sensible);
            Assert.True(Threads.Choose(4, host, isGiven: false) <= 4);
            Assert.Equal(4, Threads.Choose(4, host, isGiven: true));
        }
    }

    [Theory]
    [InlineData("cpu.max", "150000 100000", 1.5)]
    [InlineData("cpu.max", "max 100000", null)]
    [InlineData("cpu/cpu.cfs_quota_us", "300000", 3.0)]
    [InlineData("cpu/cpu.cfs_quota_us", "-1", null)]
    [InlineData("nothing", "", null)]
    [InlineData("cpu.max", "damaged", null)]
    public void A_host_is_read_from_its_files(string file, string text, double? limit)
    {
        using var root = new Pretraining.TemporaryFolder();
        Write("proc/loadavg", "1.25 0.90 0.50 3/398 31895");
        Write("sys/devices/system/cpu/online", "0-99,200-227");
        Write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000");
        Write($"sys/fs/cgroup/{file}", text);
        var host = Processors.OfHost(root.Path);
        Assert.Equal((limit, 1.25, 128), (host.Limit, host.Load, host.Online));
        Assert.Equal(Environment.ProcessorCount, host.Allowed);

        void Write(string path, string content)
        {
            var full = Path.Combine(root.Path, path);
            Directory.CreateDirectory(Path.GetDirectoryName(full)!);
            File.WriteAllText(full, content + "\n");
        }
    }

    [Fact]
    public void A_host_without_such_files_has_its_processors_alone()
    {
        using var root = new Pretraining.TemporaryFolder();
        var cores = Environment.ProcessorCount;
        Assert.Equal(new Processors(cores, null, cores, 0), Processors.OfHost(root.Path));
        Assert.InRange(Processors.OfHost().Sensible, 1, cores);
    }

    [Fact]
    public void A_number_below_one_is_refused() =>
        Assert.Contains("threads: 0 is below 1", Assert.Throws<InputException>(() => Threads.Use(0)).Message);

    [Theory]
    [InlineData(2, 1.0, 0.2, "")]
    [InlineData(2, 1.0, 1.0, "")] // just kept
    [InlineData(2, 1.0, 3.0, "2 threads had a processor for 25 %")]
    [InlineData(2, 1.0, 3.0, "--threads 1")]
    [InlineData(1, 1.0, 3.0, "the thread had a processor for 25 %")]
    [InlineData(2, 0.05, 0.3, "")] // too short to say
    public void A_promise_is_broken_where_threads_waited_longer_than_they_ran(int threads, double ran, double waited, string said)
    {
        // The process is older than its first prompt.
        var (now, warnings) = (new ThreadTimes(Seconds(50), Seconds(2)), new List<string>());
        var watch = new ThreadWatch(() => now, threads, warnings.Add);
        for (var prompt = 1; prompt <= 10; prompt++)
        {
            now = new(now.Ran + Seconds(ran / ThreadWatch.Prompts), now.Waited + Seconds(waited / ThreadWatch.Prompts));
            watch.PromptDone();
            Assert.Equal(prompt < ThreadWatch.Prompts || said == "" ? 0 : 1, warnings.Count); // once, behind the first prompts
        }
        watch.Judge();
        Assert.Equal(said == "" ? 0 : 1, warnings.Count);
        Assert.All(warnings, warning => Assert.Contains(said, warning));
    }

    [Fact]
    public void Fewer_prompts_are_judged_at_the_end_and_nothing_is_said_where_nothing_is_known()
    {
        var (now, warnings) = (new ThreadTimes(Seconds(1), Seconds(0)), new List<string>());
        var watch = new ThreadWatch(() => now, 2, warnings.Add);
        now = new(Seconds(2), Seconds(9));
        watch.PromptDone();
        Assert.Empty(warnings);
        watch.Judge();
        watch.Judge();
        Assert.Single(warnings);
        var blind = new ThreadWatch(() => null, 2, warnings.Add);
        blind.Judge();
        Assert.Single(warnings);
    }

    [Fact]
    public void Linux_counts_what_threads_do()
    {
        Assert.SkipUnless(ThreadTimes.OfProcess() is not null, "this system does not count what threads wait");
        var before = ThreadTimes.OfProcess()!.Value;
        var until = DateTime.UtcNow.AddMilliseconds(50);
        while (DateTime.UtcNow < until) { }
        var after = ThreadTimes.OfProcess()!.Value;
        Assert.True(after.Ran > before.Ran);
        Assert.True(after.Waited >= before.Waited);
    }

    private static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);
}
