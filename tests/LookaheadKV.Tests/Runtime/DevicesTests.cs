using LookaheadKV.Runtime;
using TorchSharp;
using Xunit;

namespace LookaheadKV.Tests.Runtime;

public class DevicesTests
{
    [Fact]
    public void CpuIsAlwaysThere()
    {
        Assert.Equal(DeviceType.CPU, Devices.Parse("cpu").type);
        Assert.Equal($"cpu ({torch.get_num_threads()} threads)", Devices.Describe(torch.CPU));
    }

    [Fact]
    public void NoNameMeansTheGpuWhereThereIsOne() =>
        Assert.Equal(torch.cuda.is_available() ? DeviceType.CUDA : DeviceType.CPU, Devices.Parse(null).type);

    [Theory]
    [InlineData("")]
    [InlineData("gpu")]
    [InlineData("CPU")]
    [InlineData("cuda:")]
    [InlineData("cuda:-1")]
    [InlineData("cuda:x")]
    [InlineData("cuda0")]
    public void UnknownNamesAreRefused(string name)
    {
        var error = Assert.Throws<InputException>(() => Devices.Parse(name));
        Assert.Equal($"Device '{name}' is unknown; use cpu, cuda or cuda:N.", error.Message);
    }

    [Theory]
    [InlineData("cuda:4096")]
    [InlineData("cuda")]
    public void AnAbsentGpuIsRefused(string name)
    {
        Assert.SkipWhen(name == "cuda" && torch.cuda.is_available(), "there is a GPU");
        var error = Assert.Throws<InputException>(() => Devices.Parse(name));
        Assert.StartsWith($"Device '{name}' was asked for, but ", error.Message, StringComparison.Ordinal);
    }
}
