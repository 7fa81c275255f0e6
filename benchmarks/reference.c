/* What one processor can do, by hand: chains of logistic regressions, sixteen fits to a vector.
   Threefry-2x32-20, Box-Muller, Bernoulli labels and Newton steps in single precision with AVX-512.
   Half of a fit's rows come from its own last estimate, half from the truth: as much work as a ring
   with a real source, without its gather.

   usage: reference BLOCKS ROWS GENERATIONS; prints seconds, passes a fit, mean and variance. */
#include <immintrin.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifndef P
#define P 5
#endif
typedef __m512 vec;
typedef __m512i word;
#define V(x) _mm512_set1_ps(x)
#define FMA _mm512_fmadd_ps

static inline vec horner(vec x, const float *c, int n) {
  vec total = V(c[0]);
  for (int i = 1; i < n; i++) total = FMA(total, x, V(c[i]));
  return total;
}

static inline vec vexp(vec x) { /* Cephes' expf */
  static const float c[] = {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f,
                            4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};
  x = _mm512_min_ps(_mm512_max_ps(x, V(-87)), V(88));
  vec k = _mm512_roundscale_ps(_mm512_mul_ps(x, V(1.44269504f)), 0);
  vec r = _mm512_fnmadd_ps(k, V(0.693359375f), x);
  r = _mm512_fnmadd_ps(k, V(-2.12194440e-4f), r);
  return _mm512_scalef_ps(FMA(horner(r, c, 6), r * r, r + V(1)), k);
}

static inline vec vlog(vec x) { /* Cephes' logf */
  static const float c[] = {7.0376836292e-2f, -1.1514610310e-1f, 1.1676998740e-1f,
                            -1.2420140846e-1f, 1.4249322787e-1f, -1.6668057665e-1f,
                            2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f};
  vec f = _mm512_getmant_ps(x, _MM_MANT_NORM_p75_1p5, 0) - V(1);
  vec e = _mm512_getexp_ps(x * V(1.3333333f)), z = f * f;
  return FMA(horner(f, c, 9) * z, f, f - V(0.5f) * z) + e * V(0.69314718056f);
}

static inline vec sine_of_turns(vec u) { /* |u| <= 1/4 */
  static const float c[] = {-15.094642576822984f, 42.058693944897655f, -76.70585975306136f,
                            81.60524927607504f, -41.341702240399755f, 6.283185307179586f};
  return horner(u * u, c, 6) * u;
}

static inline void threefry(word k0, word k1, word *a, word *b) {
  word ks[3] = {k0, k1, _mm512_xor_si512(_mm512_xor_si512(k0, k1), _mm512_set1_epi32(0x1BD11BDA))};
  word x = _mm512_add_epi32(*a, ks[0]), y = _mm512_add_epi32(*b, ks[1]);
#define ROUND(r)                                                                                   \
  x = _mm512_add_epi32(x, y);                                                                      \
  y = _mm512_xor_si512(_mm512_rol_epi32(y, r), x);
#define INJECT(i)                                                                                  \
  x = _mm512_add_epi32(x, ks[(i) % 3]);                                                            \
  y = _mm512_add_epi32(_mm512_add_epi32(y, ks[((i) + 1) % 3]), _mm512_set1_epi32(i));
#define EVEN ROUND(13) ROUND(15) ROUND(26) ROUND(6)
#define ODD ROUND(17) ROUND(29) ROUND(16) ROUND(24)
  EVEN INJECT(1) ODD INJECT(2) EVEN INJECT(3) ODD INJECT(4) EVEN INJECT(5)
  *a = x;
  *b = y;
}

static inline vec uniform(word w) {
  return FMA(_mm512_cvtepi32_ps(_mm512_srli_epi32(w, 9)), V(0x1p-23f), V(0x1p-24f));
}

static inline void normal_pair(word a, word b, vec *even, vec *odd) {
  vec radius = _mm512_sqrt_ps(V(-2) * vlog(uniform(a)));
  vec t = uniform(b) - V(0.5f), size = _mm512_abs_ps(t);
  word sign = _mm512_and_si512(_mm512_castps_si512(t), _mm512_set1_epi32(0x80000000));
  vec s = sine_of_turns(_mm512_min_ps(size, V(0.5f) - size));
  *even = radius * _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(s), sign));
  *odd = radius * sine_of_turns(V(0.25f) - size);
}

static inline vec label(word w, vec eta) {
  vec u = uniform(w) * (V(1) + vexp(-eta));
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(u, V(1), _CMP_LT_OQ), V(1));
}

static void draw(word lane, int t, int half, const vec *theta, vec *x, vec *y) {
  const word key = _mm512_set1_epi32(77);
  for (int k = 0; k < half; k++) {
    vec own = V(0);
    for (int i = 0; i < P; i++) {
      word a = _mm512_set1_epi32(k * P + i), b = _mm512_set1_epi32(2 * t);
      threefry(lane, key, &a, &b);
      normal_pair(a, b, &x[k * P + i], &x[(k + half) * P + i]);
      own = FMA(x[k * P + i], theta[i], own);
    }
    word a = _mm512_set1_epi32(k), b = _mm512_set1_epi32(2 * t + 1);
    threefry(lane, key, &a, &b);
    y[k] = label(a, own);
    y[k + half] = label(b, V(0.7f) * x[(k + half) * P]);
  }
}

static int fit(int rows, const vec *x, const vec *y, vec *theta) {
  for (int pass = 1; pass < 40; pass++) {
    vec g[P], h[P][P], inverse[P], largest = V(0);
    for (int i = 0; i < P; i++) {
      g[i] = V(0);
      for (int j = 0; j <= i; j++) h[i][j] = V(0);
    }
    for (int k = 0; k < rows; k++) {
      const vec *row = x + k * P;
      vec eta = row[0] * theta[0];
      for (int i = 1; i < P; i++) eta = FMA(row[i], theta[i], eta);
      vec mean = _mm512_div_ps(V(1), vexp(-eta) + V(1)), r = mean - y[k], w = mean * (V(1) - mean);
#pragma GCC unroll 32
      for (int i = 0; i < P; i++) {
        vec weighted = row[i] * w;
        g[i] = FMA(row[i], r, g[i]);
#pragma GCC unroll 32
        for (int j = 0; j <= i; j++) h[i][j] = FMA(weighted, row[j], h[i][j]);
      }
    }
    for (int j = 0; j < P; j++) {
      vec pivot = h[j][j];
      for (int k = 0; k < j; k++) pivot -= h[j][k] * h[j][k];
      inverse[j] = _mm512_div_ps(V(1), _mm512_sqrt_ps(pivot));
      for (int i = j + 1; i < P; i++) {
        vec q = h[i][j];
        for (int k = 0; k < j; k++) q -= h[i][k] * h[j][k];
        h[i][j] = q * inverse[j];
      }
    }
    for (int i = 0; i < P; i++) {
      for (int k = 0; k < i; k++) g[i] -= h[i][k] * g[k];
      g[i] *= inverse[i];
    }
    for (int i = P - 1; i >= 0; i--) {
      for (int k = i + 1; k < P; k++) g[i] -= h[k][i] * g[k];
      g[i] *= inverse[i];
      theta[i] -= g[i];
      largest = _mm512_max_ps(largest, _mm512_abs_ps(g[i]));
    }
    if (_mm512_reduce_max_ps(largest) <= 1e-3f) return pass;
  }
  return 40;
}

int main(int count, char **given) {
  if (count < 4) return 2;
  long blocks = atol(given[1]), passes = 0;
  int rows = atoi(given[2]), generations = atoi(given[3]);
  vec *x = aligned_alloc(64, sizeof(vec) * rows * P), *y = aligned_alloc(64, sizeof(vec) * rows);
  double mean = 0, square = 0;
  struct timespec begin, end;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  for (long b = 0; b < blocks; b++) {
    word lane = _mm512_add_epi32(_mm512_set1_epi32((int)b * 16),
                                 _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    vec theta[P];
    for (int i = 0; i < P; i++) theta[i] = V(i == 0 ? 0.7f : 0.0f);
    for (int t = 0; t < generations; t++) {
      draw(lane, t, rows / 2, theta, x, y);
      for (int i = 0; i < P; i++) theta[i] = V(0.5f) * (theta[i] + V(i == 0 ? 0.7f : 0.0f));
      passes += fit(rows, x, y, theta);
    }
    float first[16];
    _mm512_storeu_ps(first, theta[0]);
    for (int l = 0; l < 16; l++) mean += first[l], square += first[l] * first[l];
  }
  clock_gettime(CLOCK_MONOTONIC, &end);
  double n = blocks * 16.0, seconds = end.tv_sec - begin.tv_sec + 1e-9 * (end.tv_nsec - begin.tv_nsec);
  mean /= n;
  printf("%.9f %.4f %.6f %.6f\n", seconds, passes / (double)blocks / generations, mean,
         square / n - mean * mean);
  return 0;
}
