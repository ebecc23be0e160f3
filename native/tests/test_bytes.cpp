// Amounts of memory as messages write them: as main/contract/bytes.ts does.
#include <gtest/gtest.h>

#include "base/bytes.h"

namespace loupe {
namespace {

// The table of main/contract/bytes.test.ts, and what a budget of 20 MiB is.
TEST(Bytes, ArePowersOfAThousandWithThreeDigits) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(999), "999 B");
  EXPECT_EQ(bytes_text(1000), "1.0 kB");
  EXPECT_EQ(bytes_text(99'940), "99.9 kB");
  EXPECT_EQ(bytes_text(99'960), "100 kB");
  EXPECT_EQ(bytes_text(999'400), "999 kB");
  EXPECT_EQ(bytes_text(999'999), "1.0 MB");
  EXPECT_EQ(bytes_text(20 << 20), "21.0 MB");
  EXPECT_EQ(bytes_text(7'800'000'000), "7.8 GB");
  EXPECT_EQ(bytes_text(123'456'789'012), "123 GB");
  EXPECT_EQ(bytes_text(999'999'999'999), "1.0 TB");
  EXPECT_EQ(bytes_text(2'500'000'000'000'000), "2500 TB");
}

}  // namespace
}  // namespace loupe
